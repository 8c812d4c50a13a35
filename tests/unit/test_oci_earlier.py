"""Layers of earlier images, read from OCI layouts whose manifests anyone may have written."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelcar.oci import earlier, layer
from modelcar.oci.image import LAYER_KEY, LAYER_TENSORS, Base, Image, assemble, index, model_layer
from modelcar.oci.layout import OciLayout
from modelcar.oci.platform import Platform
from modelcar.oci.reference import Layout
from modelcar.oci.store import INDEX, MANIFEST, RawManifest
from modelcar.values import Digest, KnownLayer, ModelSource, SourceFile

FOLDER = ModelSource("file", "/a")
FILE = SourceFile("model.safetensors", 5, Digest("ab" * 32))
OTHER = SourceFile("other.safetensors", 700, Digest("cd" * 32))
KNOWN = KnownLayer(Digest("11" * 32), {"BF16": 3, "F32": 1})
OTHERS = KnownLayer(Digest("22" * 32))
PLATFORMS = Platform("linux", "amd64"), Platform("linux", "arm64")


def key(file: SourceFile) -> Digest:
    found = layer.key([file])
    assert found is not None
    return found


WANTED = {key(FILE): layer.size([FILE]), key(OTHER): layer.size([OTHER])}
ONE = {key(FILE): WANTED[key(FILE)]}


class Read(OciLayout):
    """A layout that notes which manifests were read from it."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.names: list[str] = []

    def manifest(self, name: str | Digest) -> RawManifest | None:
        self.names.append(str(name))
        return super().manifest(name)


@pytest.fixture
def store(tmp_path: Path) -> Read:
    return Read(Layout(tmp_path / "images"))


def image(*layers: tuple[SourceFile, KnownLayer], base: Base = Base()) -> Image:  # noqa: B008
    return assemble(base, [model_layer([file], known) for file, known in layers], FOLDER, None)


def put(store: OciLayout, tag: str, *layers: tuple[SourceFile, KnownLayer]) -> None:
    store.put_manifest(image(*layers).manifest, tag)


def put_json(store: OciLayout, value: Any, tag: str = "strange", kind: str = MANIFEST) -> None:
    store.put_manifest(RawManifest(kind, json.dumps(value).encode()), tag)


def entry(**changes: Any) -> dict[str, Any]:
    """Return FILE's layer as a manifest holds it, but for `changes`."""
    return {**model_layer([FILE], KNOWN).to_manifest(), **changes}


def test_a_layer_is_found_by_its_key_with_its_digest_and_tensors(store: Read) -> None:
    put(store, "1", (OTHER, OTHERS), (FILE, KNOWN))
    assert earlier.layers(store, ["1"], WANTED) == {key(FILE): KNOWN, key(OTHER): OTHERS}


def test_what_is_not_wanted_is_not_found(store: Read) -> None:
    put(store, "1", (OTHER, OTHERS), (FILE, KNOWN))
    assert earlier.layers(store, ["1"], ONE) == {key(FILE): KNOWN}
    unread = replace(FILE, sha256=Digest("ef" * 32))
    assert earlier.layers(store, ["1"], {key(unread): layer.size([unread])}) == {}


def test_the_first_of_several_is_taken(store: Read) -> None:
    put(store, "1", (FILE, OTHERS))
    put(store, "2", (FILE, KNOWN), (OTHER, KNOWN))
    put(store, "3", (FILE, KNOWN), (FILE, OTHERS))
    assert earlier.layers(store, ["1", "2"], WANTED) == {key(FILE): OTHERS, key(OTHER): KNOWN}
    assert earlier.layers(store, ["3"], WANTED) == {key(FILE): KNOWN}


def test_reading_stops_once_all_is_found(store: Read) -> None:
    for tag in ("1", "2", "3"):
        put(store, tag, (FILE, KNOWN))
    put(store, "2", (FILE, OTHERS), (OTHER, OTHERS))
    earlier.layers(store, ["1", "2", "3"], WANTED)
    assert store.names == ["1", "2"]


def test_nothing_is_read_where_nothing_is_wanted(store: Read) -> None:
    put(store, "1", (FILE, KNOWN))
    assert earlier.layers(store, ["1"], {}) == {}
    assert store.names == []


def test_an_indexs_images_are_read_once(store: Read) -> None:
    members = [(p, image((FILE, KNOWN), base=Base(platform=p))) for p in PLATFORMS]
    for _, member in members:
        store.put_manifest(member.manifest, "")
    for tag in ("1", "2"):
        store.put_manifest(index(members, {}), tag)
    assert earlier.layers(store, ["1", "2"], WANTED) == {key(FILE): KNOWN}
    first, second = (str(member.manifest.digest) for _, member in members)
    assert store.names == ["1", first, second, "2"]


def test_an_index_that_names_itself_or_what_is_not_there_does_no_harm(store: Read) -> None:
    where = {"os": "linux", "architecture": "amd64"}
    manifests = [{"digest": f"sha256:{'0' * 64}", "platform": where}]
    put_json(store, {"manifests": manifests}, kind=INDEX)
    put(store, "1", (FILE, KNOWN))
    assert earlier.layers(store, ["strange", "absent", "1"], ONE) == {key(FILE): KNOWN}


@pytest.mark.parametrize(("absent", "found"), [(99, {key(FILE): KNOWN}), (100, {})])
def test_no_more_than_a_hundred_manifests_are_asked_for(
    store: Read, absent: int, found: dict[Digest, KnownLayer]
) -> None:
    put(store, "right", (FILE, KNOWN))

    def tags() -> Iterator[str]:
        yield from (f"absent-{number}" for number in range(absent))
        yield from ("right", "unread")

    assert earlier.layers(store, tags(), WANTED) == found
    assert len(store.names) == 100


def test_a_damaged_manifest_is_passed_over_and_named(
    store: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, "bad", (FILE, OTHERS))
    bad = image((FILE, OTHERS)).manifest.digest
    (tmp_path / "images/blobs/sha256" / bad.hex).write_bytes(b"{}")
    put(store, "1", (FILE, KNOWN))
    assert earlier.layers(store, ["bad", "1"], ONE) == {key(FILE): KNOWN}
    assert "no layer is reused from bad: blob" in caplog.text


LAYER_OF_ONE = model_layer([FILE], KNOWN).annotations


@pytest.mark.parametrize(
    "strange",
    [
        entry(mediaType="application/vnd.oci.image.layer.v1.tar+gzip"),
        entry(mediaType=None),
        entry(mediaType=["application/vnd.oci.image.layer.v1.tar"]),
        entry(digest="sha256:11"),
        entry(digest=f"sha512:{'1' * 128}"),
        entry(digest=f"sha256:{'11' * 32}\n"),
        entry(digest=None),
        entry(digest={}),
        entry(size=WANTED[key(FILE)] + 1),
        entry(size=float(WANTED[key(FILE)])),
        entry(size=str(WANTED[key(FILE)])),
        entry(size=-1),
        entry(size=None),
        entry(annotations=None),
        entry(annotations=[[LAYER_KEY, str(key(FILE))]]),
        entry(annotations={LAYER_KEY: [str(key(FILE))]}),
        entry(annotations={LAYER_KEY: {}}),
        entry(annotations={LAYER_KEY: str(key(FILE)).upper()}),
        entry(annotations={}),
        {},
        [],
        7,
        None,
    ],
)
def test_a_strange_entry_is_passed_over(store: Read, strange: Any) -> None:
    put_json(store, {"layers": [strange]})
    put(store, "1", (FILE, KNOWN))
    assert earlier.layers(store, ["strange"], ONE) == {}
    assert earlier.layers(store, ["strange", "1"], ONE) == {key(FILE): KNOWN}


@pytest.mark.parametrize("value", [None, [], 7, "x", {}, {"layers": {}}, {"layers": None}])
def test_a_strange_manifest_is_passed_over(store: Read, value: Any) -> None:
    put_json(store, value)
    put_json(store, value, tag="index", kind=INDEX)
    assert earlier.layers(store, ["strange", "index"], ONE) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"f32": 1}', '{"F32": -1}', 7, None])
def test_strange_tensors_are_none(store: Read, text: Any) -> None:
    put_json(store, {"layers": [entry(annotations={**LAYER_OF_ONE, LAYER_TENSORS: text})]})
    found = earlier.layers(store, ["strange"], ONE)
    assert found == {key(FILE): KnownLayer(KNOWN.digest)}
