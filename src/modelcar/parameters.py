"""The pipeline's parameters, all text, as the values that the stages take."""

import shlex
from typing import Final

from modelcar import trust
from modelcar.errors import UsageError
from modelcar.names import dns_name, image_tag
from modelcar.oci.reference import TagReference, parse_tag
from modelcar.values import FileRules, Model, ModelSource, Serving

_ALL: Final = FileRules()
INTERNAL: Final = "image-registry.openshift-image-registry.svc:5000"


def model(
    hf_repo: str,
    revision: str,
    model_name: str,
    model_version: str,
    description: str = "",
    serving: Serving | None = None,
    rules: FileRules = _ALL,
) -> Model:
    """Return the model that the parameters name; raise ReferenceError_ or UsageError.

    `hf_repo` is `org/name`, or a URI as the command line takes it.
    """
    source = ModelSource.parse(hf_repo if "://" in hf_repo else f"hf://{hf_repo}")
    if source.kind == "hf" and revision:
        source = source.at(revision)
    name = model_name or source.location.rpartition("/")[2]
    return Model(dns_name(name), model_version, source, description, rules, serving or Serving())


def rules(include: str, exclude: str, allow_pickle: str) -> FileRules:
    """Return which files are taken: patterns as a shell takes them; raise UsageError."""
    chosen = (words("include", include), words("exclude", exclude))
    return FileRules(*chosen, switch("allow_pickle", allow_pickle))


def words(name: str, text: str) -> tuple[str, ...]:
    """Return the words of a parameter as a shell reads them; raise UsageError."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        remedy = "write them as a shell takes them"
        raise UsageError(f"parameter {name}", f"{text!r}: {error}", remedy) from error


def target(registry: str, namespace: str, model: Model, commit: str) -> TagReference:
    """Return where the model's image goes: below `registry`, a host and a namespace.

    Without one it is the cluster's internal OCI registry, in `namespace` or the pod's own. Raises
    ReferenceError_ or UsageError.
    """
    place = registry.rstrip("/") or f"{INTERNAL}/{namespace or _own_namespace()}"
    return parse_tag(f"{place}/{model.name}:{image_tag(model.version, commit)}")


def mirror_target(mirror_to: str, model: Model, commit: str) -> TagReference | None:
    """Return where the image is mirrored to, None when no mirror is asked for."""
    if not mirror_to:
        return None
    return target(mirror_to, "", model, commit)


def switch(name: str, text: str) -> bool:
    """Return whether a parameter says true or false; raise UsageError for anything else."""
    if text.lower() not in ("true", "false"):
        why = f"{text!r} is neither true nor false"
        raise UsageError(f"parameter {name}", why, "write one of them")
    return text.lower() == "true"


def _own_namespace() -> str:
    found = trust.own_namespace()
    if not found:
        remedy = "name a host and a namespace, such as quay.io/team"
        raise UsageError("parameter registry", "it is empty outside a cluster", remedy)
    return found
