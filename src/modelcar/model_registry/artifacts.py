"""Which of a version's artifacts is its model."""

from typing import Any


async def artifact_of(api: Any, model: str, version_id: str) -> dict[str, Any] | None:
    """Return the version's model artifact as plain JSON, None where it has none.

    It is the one named after the model, as the Python client names and finds it, or else the first:
    the dashboard names it otherwise, and a second artifact would contradict that.
    """
    from mr_openapi import ArtifactTypeQueryParam

    from modelcar.model_registry.client import pages

    call = api.get_model_version_artifacts_without_preload_content
    kind = ArtifactTypeQueryParam.MODEL_MINUS_ARTIFACT
    found = await pages(call, version_id, artifact_type=kind)
    named = [artifact for artifact in found if artifact.get("name") == model]
    return next(iter(named or found), None)
