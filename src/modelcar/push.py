"""Push an image: the layers that the target lacks, streamed from their files, then the manifest."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from modelcar import bases
from modelcar.bases import Pushed
from modelcar.checksums import Check
from modelcar.errors import VerificationError
from modelcar.kept_upload import KeptUpload
from modelcar.oci import layer
from modelcar.oci.content import Content, brought
from modelcar.oci.image import Descriptor, model_layer
from modelcar.oci.reference import TagReference
from modelcar.oci.store import ImageStore, open_store
from modelcar.packing import Packing
from modelcar.parallel import Stop, in_parallel
from modelcar.progress import Advance, LogLines, Progress
from modelcar.publish import Published, publish
from modelcar.pushed import PushedImages
from modelcar.supply import Supply
from modelcar.values import (
    BuiltImage,
    Digest,
    ImageLayer,
    KnownLayer,
    Moved,
    Plan,
    PlannedLayer,
    SourceFile,
)
from modelcar.workfolder import KnownLayers, WorkFolder

log = logging.getLogger(__name__)


def push(
    made: Plan,
    target: TagReference,
    work: WorkFolder,
    supply: Supply,
    packing: Packing,
    progress: Progress | None = None,
) -> BuiltImage:
    """Push the plan's image and return its digest; each layer streams from `supply`.

    The tag is written last, so that it never names an image that is not whole. Raises
    VerificationError when a file is not what the plan says, ImageError when the target refuses,
    SourceError when a file cannot be had.
    """
    began, store = time.monotonic(), open_store(target.location, packing.chunk)
    task = _Push(store, work, supply, progress or LogLines(), packing.keep is False)
    foundation = bases.load(packing, store)
    pushes = [partial(task.layer, planned) for planned in made.layers]
    jobs: list[Callable[[], Pushed]] = [*foundation.copies, *pushes]
    layers = in_parallel(lambda job: job(), jobs, task.stop)
    descriptors = [item.descriptor for item in layers[len(foundation.copies) :]]
    published = publish(store, foundation.bases, descriptors, made, target.tag)
    _record(PushedImages.of(work), target, published)
    return BuiltImage(
        image=target.at(published.digest).image,
        reference=str(target),
        layers=tuple(_image_layer(item) for item in layers),
        bytes=_moved(layers, supply.fetched),
        seconds=round(time.monotonic() - began, 3),
        changed=published.changed,
        facts=published.facts,
    )


class _Push:
    def __init__(
        self,
        store: ImageStore,
        work: WorkFolder,
        supply: Supply,
        progress: Progress,
        release: bool,
    ) -> None:
        self._store, self._work, self._supply = store, work, supply
        self._progress, self._release = progress, release
        self._layers: KnownLayers = work.layers()
        self.stop = Stop()

    def layer(self, planned: PlannedLayer) -> Pushed:
        """Return the layer once the target holds it: an earlier try may have brought it there."""
        paths = tuple(file.path for file in planned.files)
        own = None if planned.refuted else self._layers.get(layer.key(planned.files))
        known = planned.known or own
        if known is not None and (planned.reused or self._store.has_blob(known.digest)):
            pushed = Pushed(model_layer(planned.files, known), paths, uploaded=False)
        else:
            pushed = Pushed(self._upload(planned), paths, uploaded=True)
        for file in planned.files if self._release else ():
            self._supply.release(file)
        return pushed

    def _upload(self, planned: PlannedLayer) -> Descriptor:
        try:
            return self._stream(planned)
        except VerificationError as error:
            others = [self._supply.distrust(file) for file in planned.files]
            if not any(others):
                raise
            log.warning("%s; fetching it again", error)
            return self._stream(planned)

    def _stream(self, planned: PlannedLayer) -> Descriptor:
        checks = {file.path: Check(file, self._supply.named(file)) for file in planned.files}

        def read(file: SourceFile, start: int) -> Iterator[bytes]:
            return checks[file.path].follow(self._supply.read(file, start), start)

        with self._progress.transfer(f"push {_label(planned)}", planned.size) as advance:
            shown = _Shown(advance)

            def stream(start: int) -> Iterator[bytes]:
                blocks = layer.stream(planned.files, read, start)
                return shown.follow(self.stop.follow(blocks), start)

            digest = self._store.push_blob(
                brought(Content(planned.size, stream)), self._kept(planned)
            )
        return self._remember(planned, checks, digest)

    def _kept(self, planned: PlannedLayer) -> KeptUpload | None:
        key = layer.key(planned.files)
        return KeptUpload.of(self._work, str(self._store.location), key) if key else None

    def _remember(
        self, planned: PlannedLayer, checks: Mapping[str, Check], digest: Digest
    ) -> Descriptor:
        files = [replace(file, sha256=checks[file.path].sums.sha256) for file in planned.files]
        known = KnownLayer(digest, _tensors(checks.values()))
        for file in planned.files:
            self._supply.done(file, checks[file.path].sums)
        if (key := layer.key(files)) is not None:
            self._layers.put(key, known)
        return model_layer(files, known)


class _Shown:
    """Tells how far a layer is; a layer that goes back to an earlier byte goes back there too."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self._at = advance, 0

    def follow(self, blocks: Iterable[bytes], start: int) -> Iterator[bytes]:
        self._advance(start - self._at)
        self._at = start
        for block in blocks:
            yield block
            self._advance(len(block))
            self._at += len(block)


def _tensors(checks: Iterable[Check]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for check in checks:
        found.update(check.tensors)
    return dict(sorted(found.items()))


def _record(pushed: PushedImages, target: TagReference, done: Published) -> None:
    location = str(target.location)
    if done.changed or pushed.when(location, done.digest) is None:
        pushed.put(location, target.tag, done.digest, time.time())


def _moved(layers: Sequence[Pushed], downloaded: int) -> Moved:
    uploaded = sum(item.descriptor.size for item in layers if item.uploaded)
    reused = sum(item.descriptor.size for item in layers if not item.uploaded)
    return Moved(downloaded, uploaded, reused)


def _image_layer(item: Pushed) -> ImageLayer:
    return ImageLayer(item.descriptor.digest, item.descriptor.size, item.paths)


def _label(planned: PlannedLayer) -> str:
    files = planned.files
    return files[0].path if len(files) == 1 else f"{len(files)} small files"
