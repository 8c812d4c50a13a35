"""What a service keeps of the one before: the image that served, and its ids. Pure."""

from typing import Final

from modelcar.serving.manifest import REGISTERED, Manifest

PREVIOUS: Final = "modelcar-pipelines.io/previous-image"
_IDS: Final = frozenset(
    f"{REGISTERED}{name}" for name in ("registered-model-id", "model-version-id", "name")
)


def remembering(manifest: Manifest, live: Manifest) -> Manifest:
    """Return `manifest` with what follows from the live service that it is applied to.

    That is the image that served before, as an annotation, and the ids in the Model Registry where
    the image stays and none are given: what is not applied again, the server takes away.
    """
    metadata = manifest["metadata"]
    annotations, labels = dict(metadata["annotations"]), dict(metadata["labels"])
    if before := _before(image_of(manifest), live):
        annotations[PREVIOUS] = before
    if image_of(live) == image_of(manifest) and not any(x.startswith(REGISTERED) for x in labels):
        there = live["metadata"].get("labels", {})
        labels |= {key: text for key, text in there.items() if key in _IDS}
    return {**manifest, "metadata": {**metadata, "annotations": annotations, "labels": labels}}


def previous(live: Manifest) -> str:
    """Return the URI of the image that served before, nothing where none is recorded."""
    return str(live["metadata"].get("annotations", {}).get(PREVIOUS, ""))


def image_of(service: Manifest) -> str:
    """Return the URI of the image that a service names."""
    return str(service["spec"]["predictor"].get("model", {}).get("storageUri", ""))


def _before(new: str, live: Manifest) -> str:
    """Return what served before `new`: one that never became ready does not count."""
    conditions = live.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    replaced = image_of(live) != new and ready
    found = image_of(live) if replaced else previous(live)
    return "" if found == new else found
