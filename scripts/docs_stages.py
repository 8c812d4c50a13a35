"""What the stages of a run say that ends them, by who was asked."""

import re
from collections.abc import Iterator

from scripts.docs_answers import answers
from scripts.docs_text import code, marked, table
from scripts.error_texts import GAP, Said, every, ours, shown

_OPENING = """
## What a stage says

The last line of a stage that failed, in a pod's log as on a terminal, and in the report. `…` stands
for anything. Left out is what is wrong with a command, a parameter or a file (exit code 2: the
message names it), what verbs beside the stages say, and what passes on the words of another. Lines
that begin with `preflight:` are those of [the checks](#the-checks-of-preflight); what `deploy` says
of a pod is in [the endpoint](#the-endpoint). The first rows of each table lead to pages on them.
"""
_HUB, _FILES, _OCI = "The Hub", "The model's files", "The OCI registry"
_SKOPEO, _MODELS = "skopeo and the mirror", "The Model Registry"
_CLUSTER, _VOLUME = "The cluster, and the endpoint", "The volume, and the lease"
_OF_KIND = {
    "HubError": _HUB,
    "SelectionError": _FILES,
    "VerificationError": _FILES,
    "refusal": _FILES,
    "ImageError": _OCI,
    "OciRegistryError": _OCI,
    "MirrorError": _SKOPEO,
    "ModelRegistryError": _MODELS,
    "DriftError": _MODELS,
    "DeployError": _CLUSTER,
    "_NotOfferedError": _CLUSTER,
    "PreflightError": _VOLUME,
    "ModelCarError": _VOLUME,
}
"""Who was asked, by the class of the error, in the order of the page."""
_OF_SOURCE = (
    (r"/hub\.py", _HUB),
    (r"/(workfolder|journal|room|supply)\.py", _VOLUME),
    ("", _FILES),
)
"""The same of a SourceError, by the file."""
_WRONG_USE = {"UsageError", "CatalogError", "ReferenceError_"}
_ELSEWHERE = re.compile(
    r"/(bootstrap|dsp|preflight)/|/(cli\w*|prune|termination|run_pods|run_summary|deletion|explain"
    r"|go_back|states|versions|layout|looking)\.py|/cluster\.py.*refusal"
)
"""Where what is said is not a stage's."""
LINKS = {
    "the repository is gated": "how-to/private-and-gated.md#2-accept-the-terms",
    "the Hub refused the token": "how-to/private-and-gated.md#1-give-the-token",
    "or it is private": "how-to/private-and-gated.md#1-give-the-token",
    "two weight sets": "reference/catalog.md",
    "OCI registry HOST: HTTP 401": "how-to/other-oci-registries.md#1-log-in",
    "OCI registry HOST: HTTP 403": "how-to/other-oci-registries.md#1-log-in",
    "OCI registry HOST: HTTP 413": "how-to/other-oci-registries.md#3-know-its-limits",
    "the target takes": "how-to/other-oci-registries.md#3-know-its-limits",
    "unauthorized": "how-to/other-oci-registries.md#5-mirror",
    "x509": "how-to/other-oci-registries.md#2-trust-its-certificate",
    "it points at": "how-to/roll-back.md#one-version-two-digests",
    "is archived": "how-to/roll-back.md#put-a-version-away",
    "answered 401": "how-to/model-registry.md#1-name-it",
    "answered 403": "how-to/model-registry.md#1-name-it",
    "answered 404": "how-to/model-registry.md#1-name-it",
    "cannot VERB resource": "rights.md",
    "it does not fit": "how-it-works/fit.md",
    "it is not ready after": "how-to/deploy.md#ask-why-it-is-not-ready",
    "holds it on the volume claim": "how-to/schedule-many.md#see-and-stop",
    "are still to be downloaded": "how-to/small-volume.md#what-is-said-when-it-is-too-small",
}
"""The page that tells more, by words of the message."""
Row = tuple[str, str]


def section() -> Iterator[str]:
    """Yield the section; raise ValueError for an error of no group, or a link of no message."""
    groups = _grouped()
    told = " ".join(message for group in groups.values() for message, _ in group)
    if lost := [words for words in LINKS if words not in told]:
        raise ValueError(f"{', '.join(lost)}: see LINKS in scripts/docs_stages.py")
    yield _OPENING
    for title, group in groups.items():
        first = sorted(group, key=lambda row: not _pages(row[0]))
        yield f"\n### {title}\n\n" + table(("it says", "what to do"), map(_cells, first))


def _grouped() -> dict[str, list[Row]]:
    """Return each group's messages; what to do about the same message is one row."""
    groups: dict[str, dict[str, dict[str, None]]] = {title: {} for title in _OF_KIND.values()}
    for kind, message, remedy in answers():
        groups[_OF_KIND[kind]].setdefault(message, {})[remedy] = None
    kinds = ours() - _WRONG_USE
    for said in every():
        selects = said.kind == "refusal" and re.search("/(weights|listing)", said.place)
        if (said.kind in kinds or selects) and not _ELSEWHERE.search(said.place):
            for message, remedy in rows(said):
                groups[_group(said)].setdefault(message, {})[remedy] = None
    return {
        title: [(message, "; or ".join(remedies)) for message, remedies in group.items()]
        for title, group in groups.items()
    }


def _group(said: Said) -> str:
    if said.kind == "SourceError":
        return next(title for where, title in _OF_SOURCE if re.search(where, said.place))
    if said.kind not in _OF_KIND:
        raise ValueError(f"{said.kind}: see _OF_KIND in scripts/docs_stages.py")
    return _OF_KIND[said.kind]


def rows(said: Said) -> Iterator[Row]:
    """Yield each message of a place with what to do; none where the words are another's."""
    (what, *_), why, remedies = said.parts if len(said.parts) == 3 else (("",), *said.parts)
    begins = shown(what) if _says(shown(what)) else GAP
    for text in dict.fromkeys(shown(one) if _says(shown(one)) else GAP for one in why):
        for remedy in filter(_says, map(shown, remedies)):
            asked = said.kind == "HubError" and text.startswith("HTTP")
            if not asked and (begins, text) != (GAP, GAP):
                yield f"{begins}: {text}", remedy.removeprefix(f"{GAP}, or ")


def _says(text: str) -> bool:
    return bool(re.search(r"[a-z]{3}", text))


def _pages(message: str) -> dict[str, None]:
    return dict.fromkeys(page for words, page in LINKS.items() if words in message)


def _cells(row: Row) -> Row:
    message, remedy = row
    links = "".join(f" ([more]({page}))" for page in _pages(message))
    return code(message), marked(remedy) + links
