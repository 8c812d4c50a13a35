"""Delete the old images of one model: look, ask who uses them, delete, say what is left to do."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from modelcar import cluster
from modelcar.errors import (
    DeployError,
    ModelRegistryError,
    OciRegistryError,
    ReferenceError_,
    UsageError,
)
from modelcar.mentions import Mention
from modelcar.model_registry import Connection
from modelcar.model_registry.holdings import holdings
from modelcar.oci.deletion import Deletion
from modelcar.oci.image import LAYER_KEY
from modelcar.oci.platform import entries
from modelcar.oci.reference import Repository
from modelcar.oci.store import DOCKER_INDEX, INDEX, ImageStore, RawManifest, open_store
from modelcar.parallel import in_parallel
from modelcar.pushed import PushedImages
from modelcar.retention import FoundImage, Retention, plan
from modelcar.serving.in_use import in_use
from modelcar.values import Digest

WITHOUT_CLUSTER: Final = "--unchecked-cluster"
WITHOUT_MODEL_REGISTRY: Final = "--unchecked-model-registry"
log = logging.getLogger(__name__)
_Manifests = dict[Digest, RawManifest]
_Read = Callable[[Digest], RawManifest | None]


def in_cluster(namespaces: Sequence[str]) -> tuple[Mention, ...]:
    """Return what the InferenceServices name, and log which were looked at.

    Raises DeployError when they cannot be listed.
    """
    try:
        found = in_use(cluster.connect(), namespaces)
    except DeployError as error:
        remedy = _or_without(error.remedy, WITHOUT_CLUSTER)
        raise DeployError(error.what, error.why, remedy) from error
    if found.namespaces:
        where = ", ".join(found.namespaces)
        log.warning("only the InferenceServices in %s are looked at: the rest is not shown", where)
    else:
        log.info("the InferenceServices of all namespaces are looked at")
    return found.mentions


def in_model_registry(connection: Connection | None) -> tuple[Mention, ...]:
    """Return what the Model Registry names; raise UsageError when there is none to ask."""
    if connection is None:
        remedy = "name it with --model-registry, MODEL_REGISTRY_URL or the site file"
        why = "no Model Registry is named that could tell which images are registered"
        raise UsageError("pruning", why, _or_without(remedy, WITHOUT_MODEL_REGISTRY))
    try:
        return holdings(connection)
    except ModelRegistryError as error:
        remedy = _or_without(error.remedy, WITHOUT_MODEL_REGISTRY)
        raise ModelRegistryError(error.what, error.why, remedy) from error


def decide(
    place: Repository, mentions: Sequence[Mention], pushed: PushedImages, keep: int
) -> Retention:
    """Look through the repository and decide what is to become of each image.

    An image that no tag names is found where our own record or a mention leads to it.
    """
    store = open_store(place)
    manifests, tags = _tagged(store)
    known = {digest for mention in mentions for digest in mention.digests}
    _follow(store.manifest, manifests, known | pushed.digests(str(place)))
    images = [_image(place, m, tags.get(m.digest, ()), pushed) for m in manifests.values()]
    return plan(place, images, mentions, keep)


def carry_out(plans: Iterable[Retention], pushed: PushedImages) -> None:
    """Delete what is to go; an error ends its own repository only, and is raised at the end.

    What stands in one repository does not depend on another. Raises OciRegistryError.
    """
    errors = [error for item in plans if (error := _delete(item, pushed))]
    for error in errors[1:]:
        log.error("%s", error)
    if errors:
        raise errors[0]


def remains(place: Repository) -> str:
    """Say what the OCI registry must do before the deleted images' space is free."""
    if "openshift-image-registry" in place.host:
        return "an administrator frees the space with `oc adm prune images`"
    if "quay" in place.host:
        return "Quay frees the space by itself, once its time machine's window has passed"
    return (
        "the space is free once the OCI registry has collected its garbage: for distribution, "
        "stop it and run `registry garbage-collect CONFIG`, without --delete-untagged, which takes "
        "images that are used by digest alone; many others do it by themselves"
    )


def _or_without(remedy: str, option: str) -> str:
    return f"{remedy}; or go on without asking it: {option}"


def _tagged(store: ImageStore) -> tuple[_Manifests, dict[Digest, list[str]]]:
    manifests: _Manifests = {}
    tags: dict[Digest, list[str]] = {}
    for tag, found in in_parallel(lambda tag: (tag, store.manifest(tag)), store.tags()):
        if found:
            manifests[found.digest] = found
            tags.setdefault(found.digest, []).append(tag)
    return manifests, tags


def _follow(read: _Read, manifests: _Manifests, wanted: Collection[Digest]) -> None:
    """Add those of `wanted` that are there, and what the indexes among all of them name."""
    tried: set[Digest] = set()
    while missing := {*wanted, *_parts(manifests.values())} - manifests.keys() - tried:
        tried |= missing
        found = in_parallel(read, sorted(missing))
        manifests.update({manifest.digest: manifest for manifest in found if manifest})


def _parts(manifests: Iterable[RawManifest]) -> Iterator[Digest]:
    return (part for manifest in manifests for part in _children(manifest) if part)


def _children(manifest: RawManifest) -> list[Digest | None]:
    """Return the digests that an index names; None for one that cannot be read."""
    if manifest.media_type not in (INDEX, DOCKER_INDEX):
        return []
    return [_digest(entry) for entry in entries(manifest, "manifests")]


def _digest(entry: Any) -> Digest | None:
    try:
        return Digest.parse(str(entry["digest"]))
    except (TypeError, KeyError, ReferenceError_):
        return None  # of another algorithm than sha256, or damaged


def _image(
    place: Repository, manifest: RawManifest, tags: Sequence[str], pushed: PushedImages
) -> FoundImage:
    children = _children(manifest)
    return FoundImage(
        manifest.digest,
        tags=tuple(sorted(tags)),
        ours=None not in children if children else _has_our_layer(manifest),
        children=tuple(part for part in children if part),
        pushed=pushed.when(str(place), manifest.digest),
    )


def _has_our_layer(manifest: RawManifest) -> bool:
    for layer in entries(manifest, "layers"):
        match layer:
            case {"annotations": {**annotations}} if LAYER_KEY in annotations:
                return True
    return False


def _delete(item: Retention, pushed: PushedImages) -> OciRegistryError | None:
    place, going = item.repository, {image.digest for image in item.deleted}
    deletion, gone = Deletion(place), 0
    try:
        for image in item.deleted:
            for part in going.intersection(image.children):
                pushed.leave(str(place), part)  # else a repeated run could not find it
            deletion.delete(image.digest)
            gone += 1
            log.info("deleted %s@%s", place, image.digest)
    except OciRegistryError as error:
        return error
    finally:
        if gone:
            log.info("%s: %s", place, remains(place))
    return None
