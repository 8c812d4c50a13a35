"""A hostile Hub: its listing and its answers, on the real command line."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.byte_path import REPO, safetensors, tiny
from tests.campaigns.extent import full
from tests.campaigns.hostile import (
    Change,
    Changing,
    RawServer,
    always,
    as_json,
    cases,
    endless,
    modelcar,
    nested,
    outside,
    reworded,
)
from tests.servers.hub import HubServer
from tests.servers.loopback import Bytes, Request, Response

FILES = tiny()
COMMIT = "c" * 40
ESCAPE = "\x1b[2J\x1b]0;owned\x07"


# Many compressed files in a row are one; they are half a gigabyte of zeros.
BOMB = gzip.compress(bytes(1 << 24)) * 32


class HostileHub(Changing, HubServer):
    """A Hub whose answers are changed."""


def listing(change: Callable[[dict[str, Any]], Any]) -> dict[str, Change]:
    """Return the change of the listing."""
    return {"/revision/": as_json(change)}


def with_file(path: Any, **fields: Any) -> dict[str, Change]:
    """Return a listing with one more file."""
    entry = {"rfilename": path, "size": 3, "blobId": "a" * 40, **fields}
    return listing(lambda told: {**told, "siblings": [*told["siblings"], entry]})


def with_fields(**fields: Any) -> dict[str, Change]:
    return listing(lambda told: {**told, **fields})


def body(content: bytes, kind: str = "application/json", status: int = 200) -> dict[str, Change]:
    return {"/revision/": always(Response(status, {"Content-Type": kind}, Bytes(content)))}


def sibling(**fields: Any) -> dict[str, Change]:
    """Return a listing whose weights are described otherwise."""

    def change(told: dict[str, Any]) -> dict[str, Any]:
        files = [
            {**file, **fields} if file["rfilename"] == "model.safetensors" else file
            for file in told["siblings"]
        ]
        return {**told, "siblings": files}

    return listing(change)


PATHS: dict[str, Any] = {
    "parent": "../evil",
    "parent-inside": "a/../../evil",
    "dot": "./evil",
    "absolute": "/etc/evil",
    "git-folder": ".git/config",
    "git-folder-upper": "sub/.GIT/hooks/post-checkout",
    "nul": "a\0b",
    "newline": "a\nmodelcar: all is well",
    "carriage-return": "a\rb",
    "escape-sequence": f"{ESCAPE}.json",
    "c1-control": "a\x9b31m",
    "backslash": "..\\evil",
    "empty": "",
    "trailing-slash": "a/",
    "double-slash": "a//b",
    "name-of-300-bytes": "a" * 300,
    "name-of-256-bytes-in-utf8": "ü" * 128,
    "path-of-5000-bytes": "/".join(["a" * 100] * 50),
    "path-of-a-thousand-folders": "/".join(["a"] * 1000),
    "lone-surrogate": "a\ud800b",
    "whiteout": ".wh.model.safetensors",
    "opaque-whiteout": "sub/.wh..wh..opq",
    "twice": "config.json",
    "file-and-folder": "config.json/evil",
}


@pytest.mark.parametrize("path", cases(PATHS, 3))
def test_a_listing_with_a_path_that_must_not_be_unpacked_is_refused(
    tmp_path: Path, path: str
) -> None:
    with HostileHub({REPO: FILES}) as hub:
        hub.changes = with_file(path)
        done = modelcar(tmp_path, "download", f"hf://{REPO}", HF_ENDPOINT=hub.url)
    done.refused("unsafe path", "do not use this repository")
    assert outside(tmp_path) == {}


FIELDS: dict[str, tuple[dict[str, Change], str]] = {
    "no-commit": (with_fields(sha=None), "no commit"),
    "commit-is-a-number": (with_fields(sha=5), "no commit"),
    "commit-leads-elsewhere": (with_fields(sha="../../other"), "no commit"),
    "commit-with-a-line-break": (with_fields(sha=f"{'c' * 40}\nmodelcar: fine"), "no commit"),
    "commit-of-a-megabyte": (with_fields(sha="c" * (1 << 20)), "no commit"),
    "commit-with-a-lone-surrogate": (with_fields(sha="\ud800" * 40), "no commit"),
    "commit-in-other-digits": (with_fields(sha="٣" * 40), "no commit"),
    "files-are-a-number": (with_fields(siblings=5), "no answer of a Hub"),
    "files-are-a-text": (with_fields(siblings="abc"), "no answer of a Hub"),
    "files-are-an-object": (with_fields(siblings={"a": 1}), "no answer of a Hub"),
    "no-files": (with_fields(siblings=[]), "the repository is empty"),
    "file-is-null": (with_fields(siblings=[None]), "no answer of a Hub"),
    "path-is-a-number": (with_file(5), "no answer of a Hub"),
    "path-is-a-list": (with_file(["a"]), "no answer of a Hub"),
    "path-is-null": (with_file(None), "no answer of a Hub"),
    "size-is-negative": (sibling(size=-1), "no size for model.safetensors"),
    "size-is-a-text": (sibling(size="5"), "no size for model.safetensors"),
    "size-is-true": (sibling(size=True), "no size for model.safetensors"),
    "size-is-a-fraction": (sibling(size=1.5), "no size for model.safetensors"),
    "size-is-infinite": (sibling(size=float("inf")), "no size for model.safetensors"),
    "size-is-nan": (sibling(size=float("nan")), "no size for model.safetensors"),
    "size-is-null": (sibling(size=None), "no size for model.safetensors"),
    "size-has-30-digits": (sibling(size=10**30), "no size for model.safetensors"),
    "size-has-4000-digits": (sibling(size=10**4000), "no size for model.safetensors"),
    "sha256-is-null": (sibling(lfs={"sha256": None}), "no answer of a Hub"),
    "sha256-is-short": (sibling(lfs={"sha256": "abc"}), "no answer of a Hub"),
    "sha256-is-missing": (sibling(lfs={"size": 5}), "no answer of a Hub"),
    "lfs-is-a-list": (sibling(lfs=[1]), "no answer of a Hub"),
    "lfs-is-true": (sibling(lfs=True), "no answer of a Hub"),
    "blob-id-is-missing": (sibling(lfs=None, blobId=None), "no answer of a Hub"),
    "blob-id-has-a-lone-surrogate": (sibling(lfs=None, blobId="\ud800"), "no answer of a Hub"),
    "blob-id-leads-elsewhere": (sibling(lfs=None, blobId="../../x"), "no answer of a Hub"),
    "blob-id-of-a-megabyte": (sibling(lfs=None, blobId="a" * (1 << 20)), "no answer of a Hub"),
    "not-json": (body(b"<html>\x1b[31mlog in</html>", "text/html"), "no answer of a Hub"),
    "empty-body": (body(b""), "no answer of a Hub"),
    "a-list": (body(b"[]"), "no answer of a Hub"),
    "null": (body(b"null"), "no answer of a Hub"),
    "not-utf-8": (body(b'{"sha": "\xff\xfe"}'), "no answer of a Hub"),
    "nested-deeply": (body(b'{"siblings":' + nested(100_000) + b"}"), "no answer of a Hub"),
    "number-of-10000-digits": (body(b'{"sha": ' + b"9" * 10_000 + b"}"), "no answer of a Hub"),
    "endless": ({"/revision/": always(endless())}, "more than"),
    "endless-numbers": ({"/revision/": always(endless(b"[", b"1," * 32768))}, "more than"),
    "endless-refusal": ({"/revision/": always(endless(status=404))}, "no such repository"),
    "a-gzip-bomb": (
        {"/revision/": always(Response(200, {"Content-Encoding": "gzip"}, Bytes(BOMB)))},
        "no answer of a Hub",
    ),
    "redirect-to-a-file": (
        {"/revision/": always(Response(302, {"Location": "file:///etc/passwd"}))},
        "no address",
    ),
    "redirect-loop": (
        {"/revision/": always(Response(302, {"Location": "/api/models/x/revision/main"}))},
        "HTTP 302",
    ),
    "redirect-without-a-place": ({"/revision/": always(Response(302))}, "HTTP 302"),
    "redirect-to-a-port-that-is-none": (
        {"/revision/": always(Response(302, {"Location": "http://127.0.0.1:99999/"}))},
        "no address",
    ),
    "redirect-to-half-an-address": (
        {"/revision/": always(Response(302, {"Location": "http://[::1/"}))},
        "no address",
    ),
    "redirect-with-an-endless-body": (
        {"/revision/": always(endless(status=302))},
        "HTTP 302",
    ),
    "lying-error-code": (
        {"/revision/": always(Response(403, {"X-Error-Code": "\x1b[31mGatedRepo"}))},
        "HTTP 403",
    ),
}


@pytest.mark.parametrize(("changes", "part"), cases(FIELDS, 6))
def test_an_answer_that_is_none_of_a_hub_is_said_to_be_one(
    tmp_path: Path, changes: dict[str, Change], part: str
) -> None:
    with HostileHub({REPO: FILES}) as hub:
        hub.changes = changes
        done = modelcar(tmp_path, "plan", f"hf://{REPO}", HF_ENDPOINT=hub.url)
    done.refused(part, REPO if "choosing" not in done.last else "tiny")


CONFIG = b'{"architectures": ["LlamaForCausalLM"], %s}'
BIG = (1 << 20) * 60


def small_file(name: str, content: bytes) -> dict[str, bytes]:
    return {**FILES, name: content}


CONTENTS: dict[str, tuple[dict[str, bytes] | Callable[[], dict[str, bytes]], str]] = {
    "config-with-infinite-rope": (
        small_file(
            "config.json",
            CONFIG % b'"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8, '
            b'"max_position_embeddings": 8, "rope_scaling": {"type": "linear", "factor": 1e999}',
        ),
        "",
    ),
    "config-with-rope-that-is-no-number": (
        small_file(
            "config.json",
            CONFIG % b'"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8, '
            b'"max_position_embeddings": 8, "rope_scaling": {"type": "linear", "factor": NaN}',
        ),
        "",
    ),
    "config-with-numbers-of-4000-digits": (
        small_file(
            "config.json",
            CONFIG % b'"num_hidden_layers": %s, "num_attention_heads": %s, "hidden_size": %s, '
            b'"max_position_embeddings": %s' % ((b"9" * 4000,) * 4),
        ),
        "",
    ),
    "config-nested-deeply": (small_file("config.json", nested(100_000)), "config.json is no JSON"),
    "config-nested-as-deeply-as-a-parser-takes": (
        small_file("config.json", b'{"auto_map": ' + nested(900) + b"}"),
        "",
    ),
    "config-is-a-number-of-10000-digits": (
        small_file("config.json", b"9" * 10_000),
        "config.json is no JSON",
    ),
    "config-is-not-utf-8": (small_file("config.json", b'"\xff"'), ""),
    "config-names-code-that-steers-the-terminal": (
        small_file("config.json", json.dumps({"auto_map": {"A": f"{ESCAPE}x.Y"}}).encode()),
        "",
    ),
    "config-names-code-that-is-no-text": (
        small_file("config.json", b'{"auto_map": {"A": "\\ud800.Y", "B": "a\\nb.C"}}'),
        "",
    ),
    "config-names-code-of-another-place-at-length": (
        small_file("config.json", json.dumps({"auto_map": {"A": "x" * 300_000 + "--y"}}).encode()),
        "",
    ),
    "config-of-60-mib-of-values": (
        lambda: small_file("config.json", b"[" + b"{}," * (BIG // 3) + b"{}]"),
        "more than 2000000 values",
    ),
    "card-that-steers-the-terminal": (
        small_file("README.md", f"---\nlicense: {ESCAPE}\n---\n{ESCAPE}".encode()),
        "",
    ),
    "card-of-60-mib-of-tags": (
        lambda: small_file("README.md", b"---\ntags: [" + b"a," * (BIG // 2) + b"]\n---\n"),
        "",
    ),
    "card-of-line-breaks": (lambda: small_file("README.md", b"\n" * BIG), ""),
    "index-of-a-shard-that-is-not-there": (
        {
            **FILES,
            "model.safetensors.index.json": json.dumps(
                {"weight_map": {"w": f"{ESCAPE}\nmodelcar: fine\ud800"}}
            ).encode(),
        },
        "which is not there",
    ),
    "index-of-a-shard-elsewhere": (
        {
            **FILES,
            "model.safetensors.index.json": b'{"weight_map": {"w": "../../evil"}}',
        },
        "outside its folder",
    ),
    "index-with-a-map-of-numbers": (
        {**FILES, "model.safetensors.index.json": b'{"weight_map": {"w": 5}}'},
        "no weight_map",
    ),
    "index-that-is-nested-deeply": (
        {**FILES, "model.safetensors.index.json": nested(100_000)},
        "is no JSON",
    ),
    "adapter-of-a-base-that-steers-the-terminal": (
        {
            "adapter_config.json": json.dumps(
                {"base_model_name_or_path": f"{ESCAPE}\nmodelcar: \ud800" + "x" * 10_000}
            ).encode(),
            "adapter_model.safetensors": safetensors(600),
        },
        "it is a LoRA adapter",
    ),
}
# A file of 60 MiB, and once more as text.
HEAVY = 512


@pytest.mark.parametrize(("files", "part"), cases(CONTENTS, 3))
def test_whatever_the_small_files_say_a_plan_is_made_or_refused(
    tmp_path: Path, files: dict[str, bytes] | Callable[[], dict[str, bytes]], part: str
) -> None:
    with HostileHub({REPO: files() if callable(files) else files}) as hub:
        done = modelcar(tmp_path, "plan", f"hf://{REPO}", HF_ENDPOINT=hub.url)
    if part:
        done.refused(part, memory=HEAVY)
    else:
        done.well(HEAVY)


def only_part(content_range: str) -> Change:
    def change(request: Request, answered: Response) -> Response:
        return replace(answered, status=206, headers={"Content-Range": content_range})

    return change


def with_a_broken_body(request: Request, answered: Response) -> Response:
    """Give a redirect a body, as the real Hub does, which breaks off."""
    broken = replace(answered, content=Bytes(b"x" * 1300), cut_after=5)
    return broken if answered.status == 302 else answered


OTHER = safetensors(6000, fill=7)
TRANSFERS: dict[str, tuple[dict[str, Change], str]] = {
    "other-bytes": ({"model.safetensors": always(Response(content=Bytes(OTHER)))}, "its sha256 is"),
    "fewer-bytes": ({"GET /cdn/": always(Response(content=Bytes(OTHER[:50])))}, "the Hub sends 50"),
    "endless-bytes": ({"GET /cdn/": always(endless())}, "the Hub sends 4398046511104 bytes"),
    "range-of-5000-digits": (
        {"GET /cdn/": only_part(f"bytes {'9' * 5000}-5/7")},
        "",
    ),
    "range-that-is-none": ({"GET /cdn/": only_part("bytes ²-³/x")}, ""),
    "redirect-whose-body-breaks": ({"/resolve/": with_a_broken_body}, ""),
    "redirect-loop": (
        {"GET /cdn/": reworded(Location="/cdn/x"), "/cdn/x": always(Response(302))},
        "",
    ),
    "header-that-is-too-long": (
        {
            "safetensors": always(
                Response(content=Bytes((1 << 40).to_bytes(8, "little") + OTHER[8:]))
            )
        },
        "its header cannot be used",
    ),
    "header-of-a-thousand-lists": (
        {
            "safetensors": always(
                Response(
                    content=Bytes(
                        (5000).to_bytes(8, "little") + b'{"a":' + b"[" * (len(OTHER) - 13)
                    )
                )
            )
        },
        "its header cannot be used",
    ),
    "small-file-with-other-bytes": (
        {"/README.md": always(Response(content=Bytes(b"x" * len(FILES["README.md"]))))},
        "its git blob id is",
    ),
}
SLOW: dict[str, tuple[dict[str, Change], str]] = {
    "range-that-begins-later": ({"GET /cdn/": only_part("bytes 5-9/20")}, "begins at byte 5"),
    "answer-that-ends-early": (
        {"GET /cdn/": lambda request, answered: replace(answered, cut_after=0)},
        "the connection broke",
    ),
}


@pytest.mark.parametrize("verb", ["download", "build"])
@pytest.mark.parametrize(("changes", "part"), cases({**TRANSFERS, **(SLOW if full() else {})}, 2))
def test_bytes_that_are_not_those_listed_never_arrive(
    tmp_path: Path, verb: str, changes: dict[str, Change], part: str
) -> None:
    place = ["--to", "oci:image:1", "--base", "scratch"] if verb == "build" else []
    with HostileHub({REPO: FILES}) as hub:
        hub.changes = changes
        done = modelcar(tmp_path, verb, f"hf://{REPO}", *place, HF_ENDPOINT=hub.url)
    if part:
        done.refused(part)
        assert not (tmp_path / "work/example--tiny/model.safetensors").exists()
        assert not (tmp_path / "image/index.json").exists()
    else:
        done.well()


RAW: dict[str, tuple[bytes, bytes]] = {
    "length-of-5000-digits": (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000, b"x" * 65536),
    "two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7", b"{}"),
    "negative-length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5", b"{}" * 9999),
    "no-length": (b"HTTP/1.1 200 OK", b'"' * 65536),
    "chunks-without-end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
        b"10000\r\n" + b"x" * 65536 + b"\r\n",
    ),
    "header-line-without-end": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    "headers-without-end": (b"HTTP/1.1 200 OK\r\nA: b", b"X: y\r\n" * 1000),
    "chunks-that-are-none": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"zzz\r\n"),
    "no-http": (b"220 smtp ready", b"\x1b[31m\r\n"),
    "status-of-no-number": (b"HTTP/1.1 \xb2\xb2\xb2 OK", b"{}"),
}


@pytest.mark.parametrize(("head", "block"), cases(RAW, 1))
def test_what_is_hardly_http_is_no_hub(tmp_path: Path, head: bytes, block: bytes) -> None:
    with RawServer(head, block) as raw:
        done = modelcar(tmp_path, "plan", f"hf://{REPO}", HF_ENDPOINT=raw.url)
    done.refused(REPO)


def many(count: int, path: Callable[[int], str]) -> dict[str, Change]:
    """Return a listing with so many further files."""
    entries = [{"rfilename": path(n), "size": 3, "blobId": "a" * 40} for n in range(count)]
    return listing(lambda told: {**told, "siblings": [*told["siblings"], *entries]})


CROWDS: dict[str, tuple[Callable[[int], str], str]] = {
    "texts-in-the-root": (lambda n: f"text-{n}.txt", ""),
    "one-in-each-folder": (lambda n: f"folder-{n}/text.txt", ""),
    "below-sixty-folders": (lambda n: "/".join(["a"] * 60) + f"/{n}.json", ""),
    "weights-in-each-folder": (lambda n: f"f{n}/model.safetensors", ""),
    "weights-and-configs-in-each-folder": (
        lambda n: f"f{n // 2}/{('model.safetensors', 'config.json')[n % 2]}",
        "weights lie in 50001 folders",
    ),
    "indexes-in-each-folder": (
        lambda n: f"f{n // 2}/{('model.safetensors.index.json', 'config.json')[n % 2]}",
        "weights lie in 50001 folders",
    ),
    "code-and-configs-in-each-folder": (
        lambda n: f"f{n // 2}/{('x.py', 'config.json')[n % 2]}",
        "configs lie beside Python files in 50000 folders",
    ),
    "adapters-in-each-folder": (
        lambda n: f"f{n // 2}/{('adapter_model.safetensors', 'adapter_config.json')[n % 2]}",
        "",
    ),
    "shards": (lambda n: f"model-{n:06}-of-100000.safetensors", ""),
    "names-that-differ-by-case": (
        lambda n: "".join(
            c.upper() if n >> i & 1 else c for i, c in enumerate("abcdefghijklmnopq")
        ),
        "",
    ),
}
CROWD = 100_000


@pytest.mark.parametrize(("path", "part"), cases(CROWDS, 1))
def test_a_hundred_thousand_files_are_planned_in_seconds(
    tmp_path: Path, path: Callable[[int], str], part: str
) -> None:
    with HostileHub({REPO: FILES}) as hub:
        hub.changes = many(CROWD, path)
        done = modelcar(tmp_path, "plan", f"hf://{REPO}", "--json", HF_ENDPOINT=hub.url)
    if part:
        done.refused(part, memory=HEAVY)
    else:
        assert done.code == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert done.peak < HEAVY
    assert done.seconds < 30
