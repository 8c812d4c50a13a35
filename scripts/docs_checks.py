"""What the checks of preflight say that is not ok, and what each looks at."""

import re
from collections.abc import Iterator

from scripts.docs_findings import Told, findings
from scripts.docs_text import marked, table
from scripts.error_texts import GAP

_OPENING = """
## The checks of preflight

A line of `modelcar preflight` is `STATE CHECK: what it found; what to do`. Only `failed` ends a run
and the command; `warning` and `unknown` are told, `unknown` where something may not be asked from
here. `failed` has the words of the error where a check ends in one: see
[what a stage says](#what-a-stage-says). `run` makes those it needs itself, and the pipeline makes
them in `plan` and `download`. Below is what else each says when it is not `ok`.
"""
LOOKS = {
    "ca": "Whether the files of CA certificates hold any.",
    "source": "Whether the model's files can be listed and read: token, gate, revision, files.",
    "fit": "Whether the model fits on the GPUs that it asks for: `warning` where it is tight.",
    "oci_registry": "Whether the OCI registry would take an upload from this login.",
    "mirror": "The same of the mirror.",
    "login": "In the pipeline: whether skopeo has a login at the cluster's own OCI registry.",
    "images": "Whether the images of the site file and of the compiled pipeline are there.",
    "model_registry": "Whether the Model Registry answers, and lets the account read.",
    "cluster": "Whether a namespace is named, and the cluster answers.",
    "pipelines_server": "Whether the namespace has a pipelines server that is ready.",
    "pipelines_version": "Whether this release of OpenShift AI runs the compiled pipeline.",
    "rights": "Whether the account has the rights that a run uses.",
    "pvc": "Whether the volume claim is there, bound, and large enough.",
    "kserve": "Whether KServe serves models from images.",
    "runtime": "Whether the serving runtime is there, or can be made from a template.",
    "pull_secret": "Whether the secret that the nodes pull with is there.",
    "nodes": "Whether nodes match, and have the GPUs.",
}
"""What each check looks at, in the order in which a run meets them."""


def section() -> Iterator[str]:
    """Yield the section of the page; raise ValueError for a check without words, or none at all."""
    found = list(findings())
    names = {name for told in found for name in told.checks}
    if odd := sorted(names ^ LOOKS.keys()):
        raise ValueError(f"{', '.join(odd)}: see LOOKS in scripts/docs_checks.py")
    yield _OPENING
    for name, looks in LOOKS.items():
        yield f"\n### `{name}`\n\n{looks}\n"
        if rows := list(_rows(name, found)):
            yield "\n" + table(("state", "it says", "what to do"), rows)


def _rows(name: str, found: list[Told]) -> Iterator[tuple[str, str, str]]:
    """Yield what a check says when it is not ok; the same of two states is one row."""
    states: dict[tuple[str, str], dict[str, None]] = {}
    for told in found:
        bad = [state for state in told.states if state != "ok"]
        if name in told.checks and bad and re.search("[a-z]{3}", told.what):
            states.setdefault((told.what, told.remedy), {}).update(dict.fromkeys(bad))
    for (what, remedy), those in states.items():
        yield " or ".join(those), marked(what), marked(remedy.strip(GAP))
