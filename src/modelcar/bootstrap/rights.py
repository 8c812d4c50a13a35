"""What the pipeline's account may do: each right, and the calls that it serves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Place = Literal["namespace", "cluster", "templates"]


@dataclass(frozen=True, slots=True)
class Right:
    """One kind of object and what may be done to it; `serves` names the calls that need it.

    Without one that is `needed` no run ends; without another, one knows or does less.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    serves: str
    place: Place = "namespace"
    needed: bool = False
    by: Literal["run", "pipeline"] = "run"
    """What it is needed by: all that runs a model, or the pipeline alone."""


_KSERVE: Final = "serving.kserve.io"
IMAGES: Final = "image.openshift.io"
_TEMPLATES: Final = "`redhat-ods-applications` (Open Data Hub: `opendatahub`), optional"
RIGHTS: Final = (
    Right(
        _KSERVE,
        "inferenceservices",
        ("get",),
        "deploy, diagnose, rollback, undeploy: read it",
        needed=True,
    ),
    Right(
        _KSERVE,
        "inferenceservices",
        ("create", "patch"),
        "deploy, rollback: apply it",
        needed=True,
    ),
    Right(_KSERVE, "inferenceservices", ("watch",), "deploy, rollback: wait for it"),
    Right(
        _KSERVE,
        "inferenceservices",
        ("list",),
        "deploy: watch on after a restart; undeploy, prune: what others name",
    ),
    Right(_KSERVE, "inferenceservices", ("delete",), "undeploy: delete it"),
    Right(_KSERVE, "servingruntimes", ("get",), "deploy: is it there"),
    Right(_KSERVE, "servingruntimes", ("create",), "deploy: make it from the template"),
    Right(_KSERVE, "servingruntimes", ("list", "delete"), "undeploy: delete the one made"),
    Right("apps", "deployments", ("get",), "deploy, diagnose: is it rolled out"),
    Right(
        "",
        "pods",
        ("list",),
        "deploy, diagnose: node, containers; --pre-pull; report: tasks that left no record",
    ),
    Right("", "pods", ("create", "delete", "watch"), "deploy --pre-pull: pods that pull"),
    Right("", "pods/log", ("get",), "deploy, diagnose: why a container ended"),
    Right("", "events", ("list",), "deploy, diagnose: why a pod is not created"),
    Right("", "resourcequotas", ("list",), "deploy: is a second pod allowed"),
    Right(
        "quota.openshift.io",
        "appliedclusterresourcequotas",
        ("list",),
        "deploy: is a second pod allowed",
    ),
    Right(IMAGES, "imagestreams", ("get", "create"), "build: the first push makes the stream"),
    Right(IMAGES, "imagestreams/layers", ("get", "update"), "build, mirror: pull and push"),
    Right(
        "",
        "persistentvolumeclaims",
        ("get", "update"),
        "plan, report: is it bound and large enough; the lease of a run",
        needed=True,
        by="pipeline",
    ),
    Right(
        "argoproj.io",
        "workflows",
        ("list",),
        "plan: does the run that has the lease go on",
        needed=True,
        by="pipeline",
    ),
    Right("", "nodes", ("list",), "deploy: fit, spare GPUs, --pre-pull", "cluster"),
    Right("", "pods", ("list",), "deploy: which GPUs are spare", "cluster"),
    Right(
        "template.openshift.io",
        "templates",
        ("list",),
        "deploy: the serving runtime's template",
        "templates",
    ),
)


def rules(place: Place, rights: Sequence[Right] = RIGHTS) -> list[Mapping[str, Any]]:
    """Return the rules of a Role, one for each kind of object, in the order of `rights`."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        if right.place == place:
            kinds.setdefault((right.group, right.resource), []).extend(right.verbs)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": verbs}
        for (group, resource), verbs in kinds.items()
    ]


def table() -> Iterator[str]:
    """Yield the lines of a Markdown table: each rule, where it is bound, and what it serves."""
    yield "| API group | resource | verbs | where | serves |"
    yield "|---|---|---|---|---|"
    where = {"namespace": "namespace", "cluster": "cluster, optional", "templates": _TEMPLATES}
    for right in RIGHTS:
        verbs = ", ".join(right.verbs)
        group = right.group or "core"
        yield f"| {group} | {right.resource} | {verbs} | {where[right.place]} | {right.serves} |"
