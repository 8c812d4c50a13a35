"""Push an image: the layers that the target lacks, streamed from their files, then the manifest."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from modelcar.checksums import CheckedFiles, Stamp, Sums, blocks, checked
from modelcar.errors import ImageError, VerificationError
from modelcar.oci import base as oci_base
from modelcar.oci import layer
from modelcar.oci.image import Base, Descriptor, Image, assemble, digest_of, model_layer
from modelcar.oci.reference import SCRATCH, TagReference, parse
from modelcar.oci.store import ImageStore, open_store
from modelcar.parallel import in_parallel
from modelcar.progress import Advance, LogLines, Progress
from modelcar.values import (
    BuiltImage,
    Digest,
    ImageLayer,
    Moved,
    Plan,
    PlannedLayer,
    SourceFile,
)
from modelcar.workfolder import KnownLayers, WorkFolder

log = logging.getLogger(__name__)
Bring = Callable[[Sequence[SourceFile]], int]


@dataclass(frozen=True, slots=True)
class Pushed:
    """A layer that stands at the target, and whether its bytes went there just now."""

    descriptor: Descriptor
    paths: tuple[str, ...]
    uploaded: bool
    downloaded: int = 0


def push(
    made: Plan,
    target: TagReference,
    base: str,
    work: WorkFolder,
    progress: Progress | None = None,
    bring: Bring = lambda _: 0,
    downloaded: int = 0,
) -> BuiltImage:
    """Push the plan's image from the work folder's files and return its digest.

    `base` is a reference or `scratch`. `bring` is called with a layer's files before they are
    read, so that one layer can be fetched while another is pushed, and returns the bytes it
    fetched; `downloaded` are the bytes that were fetched before. The tag is written last, so
    that it never names an image that is not whole. Raises VerificationError when a file is not
    what the plan says, ImageError when the target refuses.
    """
    began, store = time.monotonic(), open_store(target.location)
    task = _Push(store, made, work, progress or LogLines(), bring)
    foundation, copies = _base(base, store)
    pushes = [partial(task.layer, planned) for planned in made.layers]
    jobs: list[Callable[[], Pushed]] = [*copies, *pushes]
    layers = in_parallel(lambda job: job(), jobs)
    descriptors = [item.descriptor for item in layers[len(copies) :]]
    image = assemble(foundation, descriptors, made.source, made.commit)
    changed = _finish(store, image, target.tag)
    return BuiltImage(
        image=target.at(image.manifest.digest).image,
        reference=str(target),
        layers=tuple(_image_layer(item) for item in layers),
        bytes=_moved(layers, downloaded),
        seconds=round(time.monotonic() - began, 3),
        changed=changed,
    )


class _Push:
    def __init__(
        self, store: ImageStore, made: Plan, work: WorkFolder, progress: Progress, bring: Bring
    ) -> None:
        self._store, self._progress, self._bring = store, progress, bring
        self._folder = work.snapshot(made.source)
        self._layers: KnownLayers = work.layers()
        self._known: CheckedFiles = work.checked_files()

    def layer(self, planned: PlannedLayer) -> Pushed:
        """Return the layer once the target holds it: an earlier try may have brought it there."""
        paths = tuple(file.path for file in planned.files)
        known = planned.digest or self._layers.get(layer.key(planned.files))
        if known is not None and (planned.reused or self._store.has_blob(known)):
            return Pushed(model_layer(planned.files, known), paths, uploaded=False)
        downloaded = self._bring(planned.files)
        digest, files = self._upload(planned, _label(paths))
        if (key := layer.key(files)) is not None:
            self._layers.put(key, digest)
        return Pushed(model_layer(files, digest), paths, uploaded=True, downloaded=downloaded)

    def _upload(self, planned: PlannedLayer, label: str) -> tuple[Digest, list[SourceFile]]:
        stamps = {file.path: self._stamp(file) for file in planned.files}
        sums: dict[str, Sums] = {}
        with self._progress.transfer(f"push {label}", planned.size) as advance:
            digest = self._store.push_blob(
                lambda: _reported(self._stream(planned.files, sums), advance), planned.size
            )
        for path, found in sums.items():
            self._known.put(self._folder / path, stamps[path], found)
        return digest, [replace(file, sha256=sums[file.path].sha256) for file in planned.files]

    def _stream(self, files: Sequence[SourceFile], sums: dict[str, Sums]) -> Iterator[bytes]:
        def read(file: SourceFile) -> Iterator[bytes]:
            content = blocks(self._folder / file.path)
            return checked(file, content, lambda found: sums.update({file.path: found}))

        return layer.stream(files, read)

    def _stamp(self, file: SourceFile) -> Stamp:
        path = self._folder / file.path
        if not path.is_file():
            remedy = "run `modelcar download` into the same work folder first"
            raise VerificationError(file.path, f"it is not at {path}", remedy)
        return Stamp.of(path)


def _base(text: str, target: ImageStore) -> tuple[Base, list[Callable[[], Pushed]]]:
    """Return the base image, and a copy to make for each of its layers."""
    if text == SCRATCH:
        log.warning("base scratch: the image serves as an image volume only, not as a sidecar")
        return Base(), []
    reference = parse(text)
    store = open_store(reference.location)
    base = oci_base.load(store, reference)
    return base, [partial(_base_layer, item, store, target) for item in base.layers]


def _base_layer(item: Descriptor, source: ImageStore, target: ImageStore) -> Pushed:
    if target.has_blob(item.digest) or target.mount_blob(item.digest, source.location):
        return Pushed(item, (), uploaded=False)
    digest = target.push_blob(lambda: source.open_blob(item.digest), item.size)
    if digest != item.digest:
        raise ImageError(f"base layer {item.digest}", f"it arrived as {digest}", "run it again")
    return Pushed(item, (), uploaded=True)


def _finish(store: ImageStore, image: Image, tag: str) -> bool:
    """Store config and manifest; False when the tag already names this image."""
    present = store.manifest(tag)
    if present is not None and present.digest == image.manifest.digest:
        return False
    if not store.has_blob(digest_of(image.config)):
        store.push_blob(lambda: [image.config], len(image.config))
    store.put_manifest(image.manifest, tag)
    return True


def _moved(layers: Sequence[Pushed], downloaded: int) -> Moved:
    uploaded = sum(item.descriptor.size for item in layers if item.uploaded)
    reused = sum(item.descriptor.size for item in layers if not item.uploaded)
    return Moved(downloaded + sum(item.downloaded for item in layers), uploaded, reused)


def _image_layer(item: Pushed) -> ImageLayer:
    return ImageLayer(item.descriptor.digest, item.descriptor.size, item.paths)


def _label(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} small files"


def _reported(content: Iterator[bytes], advance: Advance) -> Iterator[bytes]:
    for block in content:
        yield block
        advance(len(block))
