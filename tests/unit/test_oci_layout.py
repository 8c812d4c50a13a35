import fcntl
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import ImageError
from modelcar.oci import layer
from modelcar.oci.content import Content
from modelcar.oci.image import Base, assemble, digest_of, model_layer
from modelcar.oci.layout import OciLayout
from modelcar.oci.reference import Layout, Repository
from modelcar.oci.store import INDEX, MANIFEST, RawManifest
from modelcar.values import Digest, KnownLayer, ModelSource, SourceFile
from tests.processes import at_once

FILE = SourceFile("config.json", 2, digest_of(b"{}"))
ABSENT = Digest("ab" * 32)


def push_image(store: OciLayout, tag: str, revision: str = "a" * 40) -> RawManifest:
    """Store a small whole image; `revision` tells one from another."""
    size = layer.size([FILE])
    digest = store.push_blob(
        Content(size, lambda start: layer.stream([FILE], lambda _, at: [b"{}"[at:]], start))
    )
    source = ModelSource("hf", "org/name")
    image = assemble(Base(), [model_layer([FILE], KnownLayer(digest))], source, revision)
    store.push_blob(Content.of(image.config))
    store.put_manifest(image.manifest, tag)
    return image.manifest


def tags(folder: Path) -> list[tuple[str | None, str]]:
    index: dict[str, Any] = json.loads((folder / "index.json").read_text())
    assert (index["schemaVersion"], index["mediaType"]) == (2, INDEX)
    name = "org.opencontainers.image.ref.name"
    return [(e.get("annotations", {}).get(name), e["digest"]) for e in index["manifests"]]


@pytest.fixture
def store(tmp_path: Path) -> OciLayout:
    return OciLayout(Layout(tmp_path / "images"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


def inspect(name: str) -> dict[str, Any]:
    done = subprocess.run(["skopeo", "inspect", name], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_skopeo_reads_what_was_written(store: OciLayout, folder: Path) -> None:
    made = push_image(store, "1.0")
    found = inspect(f"oci:{folder}:1.0")
    assert found["Digest"] == str(made.digest)
    assert (found["Os"], found["Architecture"], len(found["Layers"])) == ("linux", "amd64", 1)
    copy = f"oci:{folder.with_name('copy')}:x"
    arguments = ["copy", "--preserve-digests", f"oci:{folder}:1.0", copy]
    subprocess.run(["skopeo", *arguments], capture_output=True, check=True)
    assert inspect(copy)["Digest"] == str(made.digest)


def test_the_marker_file_is_what_the_specification_asks_for(store: OciLayout, folder: Path) -> None:
    for tag in ("1", "2"):
        push_image(store, tag)
        assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert {path.name for path in folder.iterdir()} == {"oci-layout", "index.json", "blobs"}


def test_two_tags_stand_beside_each_other_and_may_name_one_image(
    store: OciLayout, folder: Path
) -> None:
    one, other = push_image(store, "1"), push_image(store, "2", "b" * 40)
    store.put_manifest(one, "also")
    expected = [("1", one), ("2", other), ("also", one)]
    assert tags(folder) == [(tag, str(raw.digest)) for tag, raw in expected]
    assert [store.manifest(tag) for tag, _ in expected] == [raw for _, raw in expected]


def test_a_tag_that_moves_leaves_the_old_image_readable(store: OciLayout, folder: Path) -> None:
    old, new = push_image(store, "1"), push_image(store, "1", "b" * 40)
    assert tags(folder) == [("1", str(new.digest))]
    assert store.manifest("1") == new
    assert store.manifest(old.digest) == old


def test_the_same_image_again_changes_nothing(store: OciLayout, folder: Path) -> None:
    push_image(store, "1")
    before = (folder / "index.json").read_bytes()
    push_image(store, "1")
    assert (folder / "index.json").read_bytes() == before


def test_without_a_tag_the_digest_alone_names_it(store: OciLayout, folder: Path) -> None:
    made = push_image(store, "")
    push_image(store, "")
    assert tags(folder) == [(None, str(made.digest))]
    assert store.manifest(made.digest) == made


def test_a_blob_is_named_by_its_digest_and_said_to_be_there(store: OciLayout, folder: Path) -> None:
    content = [b"ab", b"", b"c"]
    digest = store.push_blob(Content(3, lambda _: content))
    assert digest.hex == hashlib.sha256(b"abc").hexdigest()
    assert (folder / "blobs/sha256" / digest.hex).stat().st_mode & 0o777 == 0o644
    assert store.has_blob(digest)
    assert not store.has_blob(ABSENT)
    assert b"".join(store.open_blob(digest)) == b"abc"


def test_an_upload_that_breaks_leaves_nothing(store: OciLayout, folder: Path) -> None:
    def breaking(_: int) -> Any:
        yield b"half"
        raise ImageError("the source broke")

    with pytest.raises(ImageError, match="the source broke"):
        store.push_blob(Content(8, breaking))
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["oci-layout"]


def test_what_is_not_there_reads_as_none_or_is_refused(store: OciLayout) -> None:
    assert store.manifest("absent") is None
    assert store.manifest(ABSENT) is None
    assert not store.mount_blob(ABSENT, Repository("quay.io", "org/name"))
    with pytest.raises(ImageError, match="it is missing; write the layout again"):
        list(store.open_blob(ABSENT))


@pytest.mark.parametrize("damage", [b"", b"abd", b"abcd"])
def test_a_damaged_blob_is_refused(store: OciLayout, folder: Path, damage: bytes) -> None:
    digest = store.push_blob(Content.of(b"abc"))
    (folder / "blobs/sha256" / digest.hex).write_bytes(damage)
    with pytest.raises(ImageError, match=f"blob {digest} of oci:.*: its bytes have the digest"):
        list(store.open_blob(digest))


def test_a_damaged_manifest_is_refused(store: OciLayout, folder: Path) -> None:
    made = push_image(store, "1")
    (folder / "blobs/sha256" / made.digest.hex).write_bytes(b"{}")
    with pytest.raises(ImageError, match="its bytes have the digest"):
        store.manifest("1")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"manifests": 1}', "{}"])
def test_an_index_that_is_none_is_refused_and_kept(
    store: OciLayout, folder: Path, text: str
) -> None:
    folder.mkdir()
    (folder / "index.json").write_text(text)
    with pytest.raises(ImageError, match="it is no OCI image index"):
        push_image(store, "1")
    assert (folder / "index.json").read_text() == text


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match=r"writing to oci:.*; free space or name another folder"):
        OciLayout(Layout(tmp_path / "file")).push_blob(Content.of(b"x"))


PREPARE = """
from pathlib import Path
from modelcar.oci.layout import OciLayout
from modelcar.oci.reference import Layout
from modelcar.oci.store import MANIFEST, RawManifest
folder, name = sys.argv[1].split("|")
"""
WORK = """
for number in range(20):
    place = Layout(Path(folder, str(number % 5)))
    raw = RawManifest(MANIFEST, f"{name}{number}".encode())
    OciLayout(place).put_manifest(raw, f"{name}{number}")
"""


def test_writers_at_the_same_time_keep_all_their_tags_and_one_marker(tmp_path: Path) -> None:
    names = ("a", "b", "c", "d")
    at_once(PREPARE, WORK, [f"{tmp_path}|{name}" for name in names])
    for place in range(5):
        folder = tmp_path / str(place)
        written = {f"{name}{number}" for name in names for number in range(place, 20, 5)}
        digests = {tag: RawManifest(MANIFEST, tag.encode()).digest for tag in written}
        assert dict(tags(folder)) == {tag: str(digest) for tag, digest in digests.items()}
        assert all(OciLayout(Layout(folder)).has_blob(digest) for digest in digests.values())
        assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_what_a_killed_writer_left_goes_and_what_one_writes_stays(
    store: OciLayout, folder: Path
) -> None:
    push_image(store, "1.0")
    left, held = folder / ".partial-left", folder / ".partial-held"
    left.write_bytes(b"half")
    with held.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        push_image(store, "2.0")
        assert [path.name for path in folder.glob(".partial-*")] == [held.name]
