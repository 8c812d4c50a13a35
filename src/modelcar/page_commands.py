"""The commands that fit what became of a run: each can be pasted as it stands."""

import re
from collections.abc import Iterator
from shlex import quote

from modelcar.page_parts import Command
from modelcar.page_results import Results
from modelcar.values import BuiltImage, RunRecord
from modelcar.wording import line

_COPY = "skopeo copy --all --preserve-digests "


def of_image(run: RunRecord, found: Results) -> Iterator[Command]:
    """Yield how to look at the image, to copy it, and to ask what serves it."""
    if found.built:
        yield from _skopeo(run, found.built)
    own = found.endpoint
    if own is None:
        return
    form = "oc get inferenceservice {} -n {}"
    yield from command("See how it stands", form, own.name, own.namespace)
    if own.url.startswith(("https://", "http://")):
        token = '-H "Authorization: Bearer $(oc whoami -t)" ' if own.auth else ""
        yield from command("Ask it for its models", f"curl {token}{{}}", f"{own.url}/v1/models")
    if own.previous:
        yield from roll_back(run, own.namespace, f"Return to {line(own.previous)}")


def roll_back(run: RunRecord, namespace: str, purpose: str) -> Iterator[Command]:
    """Yield how to return to the image that served before, as the model was asked for."""
    yield from command(purpose, "modelcar rollback {} -n {}", run.asked, namespace)


def command(purpose: str, form: str, *values: str) -> Iterator[Command]:
    """Yield a command whose values are quoted for a shell; nothing where one cannot be right."""
    # A backtick would end the fence in Markdown, quotes grow in HTML; only pods reach `.svc`.
    right = r"(?!.*\.svc\b)[^-`'][^`']{0,299}"
    if all(re.fullmatch(right, one) and one.isprintable() for one in values):
        yield Command(purpose, form.format(*map(quote, values)))


def _skopeo(run: RunRecord, built: BuiltImage) -> Iterator[Command]:
    name, look, copy = built.image.name, "skopeo inspect ", _COPY
    if name.startswith("oci:"):
        where = f"docker://HOST/NAMESPACE/{run.model}:{name.rpartition(':')[2]}"
        yield from command("Look at the image", f"{look}{{}}", name)
        yield from command("Push it, to an OCI registry of yours", f"{copy}{{}} {{}}", name, where)
        return
    if name.startswith(("127.", "localhost")):  # plain HTTP is spoken there
        look, copy = f"{look}--tls-verify=false ", f"{copy}--src-tls-verify=false "
    source = f"docker://{built.image}"
    folder = f"oci:{run.model}:{built.reference.rpartition(':')[2]}"
    yield from command("Look at the image", f"{look}{{}}", source)
    yield from command("Copy it into a folder", f"{copy}{{}} {{}}", source, folder)
