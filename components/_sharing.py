"""Tasks of one component share one executor; kfp gives each task a copy, which Argo then holds."""

from typing import Any


def share_executors(pipeline: Any) -> Any:
    """Let tasks whose executors are equal, on the cluster too, use the first; return `pipeline`."""
    spec, platforms = pipeline.pipeline_spec, pipeline.platform_spec
    executors = spec.deployment_spec["executors"]
    settings = platforms.platforms["kubernetes"].deployment_spec.executors
    kept: list[tuple[str, Any]] = []
    for label in sorted(executors.keys()):
        both = (executors[label], settings.get(label))
        first = next((name for name, known in kept if known == both), None)
        if first is None:
            kept.append((label, both))
        else:
            _point(spec.components.values(), label, first)
            for holder in (executors, settings):
                del holder[label]
    return pipeline


def _point(components: Any, label: str, first: str) -> None:
    for component in components:
        if component.executor_label == label:
            component.executor_label = first
