"""Hostile files: in a local folder, in the work folder, in the catalog and the site file."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.byte_path import REPO, safetensors, tiny, write
from tests.campaigns.hostile import cases, modelcar, outside
from tests.servers.hub import HubServer

FILES = {"README.md": b"# x", "config.json": b"{}", "model.safetensors": safetensors(600)}
Plant = Callable[[Path], object]


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # its address has room for few letters
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def fifo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link(path: Path, to: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(to)


FOLDERS: dict[str, tuple[Plant, str]] = {
    "fifo": (lambda folder: os.mkfifo(folder / "x.json"), "no regular file"),
    "fifo-in-place-of-the-weights": (
        lambda folder: fifo(folder / "model.safetensors"),
        "no regular file",
    ),
    "socket": (lambda folder: socket_at(folder / "x.json"), "no regular file"),
    "device": (lambda folder: link(folder / "x.json", "/dev/zero"), "no regular file"),
    "link-to-nothing": (lambda folder: link(folder / "x.json", "nowhere"), "broken link"),
    "link-to-itself": (lambda folder: link(folder / "x.json", "x.json"), "broken link"),
    "link-to-a-folder": (lambda folder: link(folder / "x", "."), ""),
    "name-that-is-not-utf-8": (
        lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff.json")).touch(),
        "it is not UTF-8",
    ),
    "name-with-a-line-break": (lambda folder: (folder / "a\nb.json").touch(), "control character"),
    "name-that-steers-the-terminal": (
        lambda folder: (folder / "a\x1b[2J.json").touch(),
        "control character",
    ),
    "git-folder": (lambda folder: write(folder, {".git/config": b"x"}), ".git folder"),
    "whiteout": (lambda folder: (folder / ".wh.config.json").touch(), "deletion"),
    "card-of-a-hundred-gigabytes": (
        lambda folder: os.truncate(folder / "README.md", 100 << 30),
        "more than 64 MiB",
    ),
    "config-of-a-hundred-gigabytes": (
        lambda folder: os.truncate(folder / "config.json", 100 << 30),
        "is larger than 64 MiB",
    ),
    "card-that-is-not-utf-8": (lambda folder: (folder / "README.md").write_bytes(b"\xff"), ""),
    "config-that-is-not-utf-8": (
        lambda folder: (folder / "config.json").write_bytes(b"\xff"),
        "config.json is no JSON",
    ),
    "names-that-differ-by-case": (lambda folder: (folder / "CONFIG.json").write_bytes(b"{}"), ""),
}


@pytest.mark.parametrize(("plant", "part"), cases(FOLDERS, 3))
def test_a_folder_with_what_is_no_file_is_refused_at_once(
    tmp_path: Path, plant: Plant, part: str
) -> None:
    folder = write(tmp_path / "model", FILES)
    plant(folder)
    done = modelcar(
        tmp_path, "build", f"file://{folder}", "--to", "oci:image:1", "--base", "scratch"
    )
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_size > 1 << 30:
            path.unlink()  # nobody is to read so much
    if part:
        done.refused(part)
        assert not (tmp_path / "image/index.json").exists()
    else:
        done.well()


SNAPSHOT = "work/example--tiny"
OWN = "work/.modelcar"
PLANTED: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "snapshot-is-a-link": (lambda place: link(place / SNAPSHOT, "../out"), ("leads out of",)),
    "folder-is-a-link": (
        lambda place: link(place / SNAPSHOT / "1_Pooling", "../../out"),
        ("leads out of",),
    ),
    "file-is-a-link": (
        lambda place: link(place / SNAPSHOT / "model.safetensors", "../../out/victim"),
        (),
    ),
    "file-is-a-link-to-nothing": (
        lambda place: link(place / SNAPSHOT / "model.safetensors", "../../out/new"),
        (),
    ),
    "file-is-a-fifo": (
        lambda place: fifo(place / SNAPSHOT / "config.json"),
        (),
    ),
    "file-is-a-folder": (
        lambda place: (place / SNAPSHOT / "config.json/x").mkdir(parents=True),
        ("work folder",),
    ),
    "own-folder-is-a-link": (lambda place: link(place / OWN, "../out"), ("leads out of",)),
    "partials-are-a-link": (
        lambda place: link(place / OWN / "partial", "../../out"),
        ("leads out of",),
    ),
    "journal-of-files-is-a-link": (
        lambda place: link(place / OWN / "files.jsonl", "../../out/victim"),
        ("work folder",),
    ),
    "journal-of-files-is-a-link-to-nothing": (
        lambda place: link(place / OWN / "files.jsonl", "../../out/new"),
        ("work folder",),
    ),
    "journal-of-files-is-a-fifo": (
        lambda place: fifo(place / OWN / "files.jsonl"),
        ("work folder",),
    ),
    "journal-of-files-is-a-folder": (
        lambda place: (place / OWN / "files.jsonl").mkdir(parents=True),
        ("work folder",),
    ),
}


@pytest.mark.parametrize(("plant", "parts"), cases(PLANTED, 3))
def test_nothing_is_written_through_a_link_out_of_the_work_folder(
    tmp_path: Path, plant: Plant, parts: tuple[str, ...]
) -> None:
    write(tmp_path / "out", {"victim": b"precious\n"})
    plant(tmp_path)
    with HubServer({REPO: tiny()}) as hub:
        done = modelcar(tmp_path, "download", f"hf://{REPO}", HF_ENDPOINT=hub.url)
    assert outside(tmp_path / "out") == {"victim": b"precious\n"}
    if parts:
        done.refused(*parts)
    else:
        done.well()
        assert (tmp_path / SNAPSHOT / "model.safetensors").read_bytes() == safetensors(6000)
        assert not (tmp_path / SNAPSHOT / "model.safetensors").is_symlink()


MODEL = "name: x\nsource: hf://org/x\nversion: '1'\n"
HUGE = "0x" + "f" * 9000
TEXTS: dict[str, tuple[bytes, str]] = {
    "bomb": (b"a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors and aliases"),
    "merge-keys": (b"<<: {name: x}\n", "x.yaml"),
    "tag-of-a-type": (b"name: !!python/object/apply:os.system [id]\n", "tags"),
    "binary-tag": (b"name: !!binary aGk=\n", "tags"),
    "nested-in-flow": (b"a: " + b"[" * 30_000, "nested deeper"),
    "nested-in-block": (b"".join(b" " * n + b"a:\n" for n in range(300)), "nested deeper"),
    "keys-without-end": (b"? " * 30_000, "x.yaml"),
    "colons-without-end": (b": " * 30_000, "x.yaml"),
    "quote-without-end": (b"a: '" + b"x" * 60_000, "not YAML"),
    "nul": (b"name: a\0b\n", "not YAML"),
    "control-characters": (b"name: a\x1b[2J\n", "not YAML"),
    "escape-in-quotes": (b'name: "\\x1b[2J\\n"\n', "name"),
    "lone-surrogate": (b'name: "\\ud800"\n', "x.yaml"),
    "key-that-is-a-lone-surrogate": (b'"\\ud800": 1\n', "x.yaml"),
    "key-that-steers-the-terminal": (b'"\\x1b[2J\\nmodelcar: fine": 1\n', "unknown field"),
    "key-that-is-a-list": (b"[a, b]: 1\n", "x.yaml"),
    "key-that-is-a-mapping": (b"{a: b}: 1\n", "x.yaml"),
    "key-that-is-a-list-of-lists": (b"? - - \n", "a key is a list"),
    "key-that-is-null": (b"~: 1\n", "x.yaml"),
    "key-that-is-a-number": (b"5: 1\n", "x.yaml"),
    "utf-16": (MODEL.encode("utf-16"), "not UTF-8"),
    "not-utf-8": (b"\xff\xfe\xfd", "not UTF-8"),
    "byte-order-mark": (b"\xef\xbb\xbf" + MODEL.encode(), ""),
    "right-to-left": (f"{MODEL}description: '\u202e\u2066'\n".encode(), ""),
    "two-documents": (f"{MODEL}---\n{MODEL}".encode(), "x.yaml"),
    "directive": (b"%YAML 9.9\n---\nname: x\n", "x.yaml"),
    "a-list": (b"- a\n", "not a mapping"),
    "a-number-of-60000-digits": (b"a: " + b"9" * 60_000, "cannot be read"),
    "gpus-of-9000-digits": (f"{MODEL}serving: {{gpus: {HUGE}}}\n".encode(), "serving.gpus"),
    "gpus-below-zero": (f"{MODEL}serving: {{gpus: -{HUGE}}}\n".encode(), "serving.gpus"),
    "cpu-of-9000-digits": (f"{MODEL}serving: {{cpu: {HUGE}}}\n".encode(), "serving.cpu"),
    "memory-that-is-infinite": (f"{MODEL}serving: {{memory: .inf}}\n".encode(), "serving.memory"),
    "memory-that-is-no-number": (f"{MODEL}serving: {{memory: .nan}}\n".encode(), "serving.memory"),
    "version-of-9000-digits": (
        f"name: x\nsource: hf://org/x\nversion: {HUGE}\n".encode(),
        "version",
    ),
    "version-that-is-a-date": (b"name: x\nsource: hf://org/x\nversion: 2001-01-01\n", "version"),
    "a-date-that-is-none": (b"name: x\nsource: hf://org/x\nversion: 2001-13-45\n", "x.yaml"),
    "name-of-60000-letters": (b"name: " + b"x" * 60_000 + b"\n", "name"),
    "fields-without-end": (b"".join(b"f%d: 1\n" % n for n in range(6000)), "unknown field"),
}
SITES: dict[str, tuple[bytes, str]] = {
    "hub-at-half-an-address": (b"hub: 'https://[::1'\n", "hub"),
    "hub-at-a-port-that-is-none": (b"hub: https://h:99999\n", "hub"),
    "hub-is-a-file": (b"hub: file:///etc/passwd\n", "hub"),
    "hub-of-other-letters": ("hub: https://\uff48\uff55\uff42\u2100.example\n".encode(), "hub"),
    "chunk-of-other-digits": ("chunk_size: \u0663Gi\n".encode(), "try 100Mi"),
    "chunk-of-digits-that-are-none": ("chunk_size: \u00b2\n".encode(), "chunk_size"),
    "chunk-of-exa": (b"chunk_size: '9e99'\n", ""),
    "place-that-leads-elsewhere": (b"oci_registry: quay.io/../x\n", "oci_registry"),
    "platforms-are-numbers": (b"platforms: [5]\n", "platforms"),
    "images-are-a-list": (b"images: [a]\n", "images"),
}


@pytest.mark.parametrize(("content", "part"), cases(TEXTS, 5))
def test_a_hostile_catalog_file_is_refused_in_lines_of_ours(
    tmp_path: Path, content: bytes, part: str
) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    done = modelcar(tmp_path, "check", "x.yaml")
    assert done.seconds < 30
    if part:
        done.refused_in_lines(part, code=2)
    else:
        done.well()


@pytest.mark.parametrize(("content", "part"), cases(SITES, 2))
def test_a_hostile_site_file_is_refused_in_lines_of_ours(
    tmp_path: Path, content: bytes, part: str
) -> None:
    (tmp_path / "site.yaml").write_bytes(content)
    done = modelcar(tmp_path, "check", "site.yaml")
    if part:
        done.refused_in_lines(part, code=2)
    else:
        done.well()


def million(entry: bytes) -> bytes:
    """Return the fields of an object, none of which is another's."""
    return b",".join(b'"%x":%s' % (number, entry) for number in range(1_000_000))


HEADERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "of-99-mib-of-blanks": (lambda: b"{}" + b" " * 99_000_000, ""),
    "of-a-million-tensors": (
        lambda: b"{%s}" % million(b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'),
        "more than 2000000 values",
    ),
    "of-a-million-objects": (lambda: b"{%s}" % million(b"{}"), "has the unknown dtype"),
    "of-a-million-texts": (lambda: b'{"__metadata__":{%s}}' % million(b'""'), ""),
    "of-letters-that-take-four-bytes": (
        lambda: b'{"__metadata__":{"a":"%s"}}' % ("\U0001f4a5".encode() * 24_000_000),
        "",
    ),
}


@pytest.mark.parametrize(("header", "part"), cases(HEADERS, 1))
def test_a_header_of_100_megabytes_takes_no_more_memory_than_a_pod_has(
    tmp_path: Path, header: Callable[[], bytes], part: str
) -> None:
    head = header()
    weights = len(head).to_bytes(8, "little") + head
    folder = write(tmp_path / "model", {**FILES, "model.safetensors": weights})
    place = ["--to", "oci:image:1", "--base", "scratch"]
    done = modelcar(tmp_path, "build", f"file://{folder}", *place)
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / "image", ignore_errors=True)
    if part:
        done.refused(part, memory=512)
    else:
        done.well(512)
