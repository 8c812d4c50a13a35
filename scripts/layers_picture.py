"""Draw docs/pictures/layers.svg from an image that is built for it, of two shards of zeros."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcar import build
from modelcar.hub import Hub
from modelcar.listing import LARGE
from modelcar.oci.image import LAYER_KEY, OCI
from modelcar.oci.reference import SCRATCH, parse_tag
from modelcar.packing import Packing
from modelcar.values import BuiltImage, Digest, ImageLayer, Model, ModelSource
from modelcar.wording import size
from modelcar.workfolder import WorkFolder
from scripts.picture_shapes import Box, Shape, Text, Way, svg

PATH = "docs/pictures/layers.svg"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
TEXTS = {
    "README.md": "# A model\n",
    "config.json": '{"architectures": ["LlamaForCausalLM"]}',
    "model.safetensors.index.json": json.dumps({"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}),
    "tokenizer.json": "{}",
}
_WIDTH, _PITCH, _TALL, _TOP = 760, 84, 68, 150
_FILES, _LAYERS, _RIGHT = 30, 350, 380
_TOLD = {LAYER_KEY: "key of the layer", f"{OCI}.title": "name and sha256 of the file"}


@dataclass(frozen=True, slots=True)
class Built:
    """An image, with the annotations of its layers."""

    image: BuiltImage
    annotations: tuple[frozenset[str], ...]

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """Its layers, in their order."""
        return self.image.layers


def files() -> Iterator[tuple[str, str]]:
    """Yield the picture's path below the repository, and its text."""
    yield PATH, picture(built())


def built() -> Built:
    """Build an image of a small model into a layout, and read back what it says."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "model")
        model = Model("model", "1.0", ModelSource.parse(f"file://{folder}/model"))
        target = parse_tag(f"oci:{folder}/image:1.0")
        work = WorkFolder(folder / "work")
        image = build.build(model, target, work, Hub(), Packing(base=SCRATCH))
        return Built(image, tuple(_annotations(folder / "image", image.image.digest)))


def _write(folder: Path) -> None:
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    for name, tensor in zip(SHARDS, "ab", strict=True):
        told = {"dtype": "BF16", "shape": [LARGE // 2], "data_offsets": [0, LARGE]}
        header = json.dumps({tensor: told}).encode()
        with (folder / name).open("wb") as stream:
            stream.write(len(header).to_bytes(8, "little") + header)
            stream.truncate(8 + len(header) + LARGE)


def _annotations(layout: Path, digest: Digest) -> Iterator[frozenset[str]]:
    manifest = json.loads((layout / "blobs" / "sha256" / digest.hex).read_text())
    for layer in manifest["layers"]:
        yield frozenset(layer["annotations"])


def picture(found: Built) -> str:
    """Return the SVG."""
    height = int(_row(len(found.layers)) + _TALL + 30)
    drawn = list(shapes(found))
    return svg("What is in an image", description(found), _WIDTH, height, drawn)


def description(found: Built) -> str:
    """Return what the picture shows, in words."""
    rows = (f"{', '.join(layer.paths)} in a layer of {size(layer.size)}" for layer in found.layers)
    return f"A manifest names a config, the base's layers, and these: {'; '.join(rows)}."


def shapes(found: Built) -> Iterator[Shape]:
    """Yield all that is drawn."""
    yield from _manifest(found)
    yield Text(_FILES, _row(1) - 10, "the files that were chosen", "mark")
    yield Box(_LAYERS, _row(0), _RIGHT, _TALL, "box apart")
    yield Text(_LAYERS + 14, _row(0) + 24, "base", "name")
    yield Text(_LAYERS + 14, _row(0) + 44, "its layers as they stand: UBI micro by digest", "quiet")
    for number, layer in enumerate(found.layers):
        yield from _layer(layer, found.annotations[number], _row(number + 1))


def _row(row: int) -> float:
    return _TOP + row * _PITCH


def _manifest(found: Built) -> Iterator[Shape]:
    yield Box(_LAYERS, 20, _RIGHT, 88)
    yield Text(_LAYERS + 14, 44, "manifest", "name")
    yield Text(_LAYERS + 14, 64, f"sha256:{found.image.image.digest.short}…", "lane0")
    yield Text(_LAYERS + 14, 82, "names the config and each layer by digest;", "quiet")
    yield Text(_LAYERS + 14, 99, "no clock, no owner, no version of a tool", "quiet")
    yield Way(((_LAYERS + 24, 108), (_LAYERS + 24, _TOP - 1)), arrow=True)


def _layer(layer: ImageLayer, annotations: frozenset[str], y: float) -> Iterator[Shape]:
    for number, path in enumerate(layer.paths):
        yield Text(_FILES, y + _middle(layer.paths) + number * 17, path, "quiet")
    yield Way(((_LAYERS - 52, y + _TALL / 2), (_LAYERS - 1, y + _TALL / 2)), arrow=True)
    yield Box(_LAYERS, y, _RIGHT, _TALL)
    what = "small files" if len(layer.paths) > 1 else "one file of 64 MiB or more"
    yield Text(_LAYERS + 14, y + 24, what, "name")
    yield Text(_LAYERS + 14, y + 43, f"sha256:{layer.digest.short}…", "lane0")
    yield Text(_LAYERS + 210, y + 43, f"tar, {size(layer.size)}", "quiet")
    told = ", ".join(words for name, words in _TOLD.items() if name in annotations)
    yield Text(_LAYERS + 14, y + 60, f"annotations: {told}", "mark")


def _middle(paths: Sequence[str]) -> float:
    return _TALL / 2 + 4 - (len(paths) - 1) * 8.5
