"""What a service keeps of the one before: the image that served, and its ids. Pure."""

from typing import Final

from modelcar.serving.manifest import REGISTERED, Manifest

PREVIOUS: Final = "modelcar-pipelines.io/previous-image"
_PREVIOUS_IDS: Final = "modelcar-pipelines.io/previous-ids"
_MODEL, _VERSION = f"{REGISTERED}registered-model-id", f"{REGISTERED}model-version-id"
_IDS: Final = (_MODEL, _VERSION, f"{REGISTERED}name")


def remembering(manifest: Manifest, live: Manifest, served: bool) -> Manifest:
    """Return `manifest` with what follows from the live service that it is applied to.

    That is the image before it, as an annotation, if that `served`, and the ids in the Model
    Registry where the image stays and none are given: what is not applied again is taken away.
    """
    metadata = manifest["metadata"]
    annotations, labels = dict(metadata["annotations"]), dict(metadata["labels"])
    annotations |= _before(image_of(manifest), live, served)
    if image_of(live) == image_of(manifest) and not any(x.startswith(REGISTERED) for x in labels):
        there = live["metadata"].get("labels", {})
        labels |= {key: text for key, text in there.items() if key in _IDS}
    return {**manifest, "metadata": {**metadata, "annotations": annotations, "labels": labels}}


def previous(live: Manifest) -> tuple[str, tuple[str, str]]:
    """Return the image that served before, and its ids; empty where none are recorded."""
    annotations = live["metadata"].get("annotations", {})
    model, _, version = str(annotations.get(_PREVIOUS_IDS, "")).partition("/")
    return str(annotations.get(PREVIOUS, "")), (model, version)


def image_of(service: Manifest) -> str:
    """Return the URI of the image that a service names."""
    return str(service["spec"].get("predictor", {}).get("model", {}).get("storageUri", ""))


def _before(new: str, live: Manifest, served: bool) -> dict[str, str]:
    """Return the annotations about what stood before `new`; a tag is no place to return to."""
    old, labels = image_of(live), live["metadata"].get("labels", {})
    if old != new and served and "@sha256:" in old:
        ids = f"{labels[_MODEL]}/{labels[_VERSION]}" if {_MODEL, _VERSION} <= labels.keys() else ""
        return {PREVIOUS: old, **({_PREVIOUS_IDS: ids} if ids else {})}
    uri, (model, version) = previous(live)
    if not uri or uri == new:
        return {}
    return {PREVIOUS: uri, **({_PREVIOUS_IDS: f"{model}/{version}"} if model else {})}
