"""A hostile OCI registry: what stands there already, and what it answers, as target and as base."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import canary
from tests.byte_path import REPO, safetensors, write
from tests.campaigns.extent import full
from tests.campaigns.hostile import (
    Change,
    Changing,
    always,
    cases,
    endless,
    modelcar,
    nested,
    reworded,
)
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.reverse_proxy import ReverseProxy

FILES = {"config.json": b"{}", "model.safetensors": safetensors(6000)}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ESCAPE = "\x1b[2J\nmodelcar: all is well"
HEX = "a" * 64


class HostileProxy(Changing, ReverseProxy):
    """A registry whose answers are changed."""


class _Nothing(LoopbackServer):
    def answer(self, request: Request) -> Response:
        return Response(404)


class Answering(Changing, _Nothing):
    """A registry that has nothing but its answers, given by parts of the path."""

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def repository() -> str:
    """Return a repository that nobody else uses."""
    return f"models/{secrets.token_hex(4)}"


def refusal(status: int, **headers: str) -> Change:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return always(Response(status, named, Bytes(b"{}")))


def challenge(text: str) -> dict[str, Change]:
    """Return the change of every answer to a refusal that asks to log in so."""
    return {"/v2/": refusal(401, WWW_Authenticate=text)}


def token(content: bytes, status: int = 200) -> dict[str, Change]:
    """Return a registry that has a token service on itself, which answers so."""
    answer = Response(status, {"Content-Type": "application/json"}, Bytes(content))
    return {"/v2/": refusal(401, WWW_Authenticate="SELF"), "/token": always(answer)}


def issued(life: bytes) -> bytes:
    """Return what a token service answers, with a token that lasts so long."""
    return b'{"token": "%s", "expires_in": %s}' % (canary.secret("bearer").encode(), life)


PUSHES: dict[str, tuple[dict[str, Change], str]] = {
    "upload-at-a-file": ({"POST /uploads/": reworded(Location="file:///etc/passwd")}, "no place"),
    "upload-at-a-port-that-is-none": (
        {"POST /uploads/": reworded(Location="http://127.0.0.1:99999/x")},
        "no place",
    ),
    "upload-at-half-an-address": ({"POST /uploads/": reworded(Location="http://[::1")}, "no place"),
    "upload-nowhere": ({"POST /uploads/": reworded(Location=None)}, "no place"),
    "least-chunk-of-5000-digits": (
        {"POST /uploads/": reworded(OCI_Chunk_Min_Length="9" * 5000)},
        "",
    ),
    "least-chunk-of-18-digits": ({"POST /uploads/": reworded(OCI_Chunk_Min_Length="9" * 18)}, ""),
    "range-that-lies-low": ({"PATCH /uploads/": reworded(Range="0-5")}, ""),
    "range-that-lies-high": ({"PATCH /uploads/": reworded(Range="0-" + "9" * 18)}, ""),
    "range-of-5000-digits": ({"PATCH /uploads/": reworded(Range="0-" + "9" * 5000)}, ""),
    "manifest-stored-under-another-digest": (
        {"PUT /manifests/": reworded(Docker_Content_Digest=f"sha256:{HEX}")},
        "it was stored as",
    ),
    "digest-that-steers-the-terminal": (
        {"PUT /manifests/": reworded(Docker_Content_Digest="\x1b[2Jx")},
        "it was stored as",
    ),
    "manifest-that-is-endless": ({"GET /manifests/": always(endless())}, "more than 4194304 bytes"),
    "manifest-of-another-type": (
        {"GET /manifests/": always(Response(200, {"Content-Type": "text/html"}, Bytes(b"<p>")))},
        "not what an OCI registry says",
    ),
    "manifest-nested-deeply": (
        {"GET /manifests/": always(Response(200, {}, Bytes(nested(100_000))))},
        "not what an OCI registry says",
    ),
    "refusal-that-is-endless": ({"POST /uploads/": always(endless(status=403))}, "HTTP 403"),
    "refusal-that-steers-the-terminal": (
        {
            "POST /uploads/": always(
                Response.json({"errors": [{"code": ESCAPE, "message": "\ud800" * 99_999}]}, 403)
            )
        },
        "HTTP 403",
    ),
    "refusal-of-errors-that-are-none": (
        {"POST /uploads/": always(Response.json({"errors": 5}, 403))},
        "HTTP 403",
    ),
    "refusal-nested-deeply": (
        {"POST /uploads/": always(Response(403, {}, Bytes(nested(100_000))))},
        "HTTP 403",
    ),
    "login-at-half-an-address": (challenge('Bearer realm="https://[::1"'), "no address"),
    "login-at-a-port-that-is-none": (challenge('Bearer realm="https://h:99999/"'), "no address"),
    "login-without-tls": (challenge('Bearer realm="http://example.com/t"'), "not HTTPS"),
    "login-at-a-file": (challenge('Bearer realm="file:///etc/passwd"'), "not HTTPS"),
    "login-nowhere": (challenge("Bearer"), "not HTTPS"),
    "login-of-60-kb": (challenge('Bearer realm="' + "x" * 60_000 + '"'), "not HTTPS"),
    "login-that-steers-the-terminal": (challenge('Bearer realm="\x1b[2J"'), "not HTTPS"),
    "token-of-a-life-of-400-digits": (
        token(issued(b"1" + b"0" * 400)),
        "401",
    ),
    "token-of-an-infinite-life": (token(issued(b"1e999")), "401"),
    "token-of-a-life-that-is-no-number": (token(issued(b"NaN")), "401"),
    "token-of-two-lines": (token(b'{"token": "x\\r\\nX-Evil: y"}'), "gave what is no token"),
    "token-that-is-no-text": (token(b'{"token": "\\ud800"}'), "gave what is no token"),
    "token-nested-deeply": (token(nested(100_000)), "did not answer with JSON"),
    "token-that-is-endless": (
        {"/v2/": refusal(401, WWW_Authenticate="SELF"), "/token": always(endless())},
        "more than 4194304 bytes",
    ),
}
SLOW_PUSHES: dict[str, tuple[dict[str, Change], str]] = {
    "upload-at-a-host-that-is-none": (
        {"POST /uploads/": reworded(Location="http://127.0.0.1:1/x")},
        "OCI registry",
    ),
    "login-elsewhere-that-is-down": (challenge('Bearer realm="http://127.0.0.1:1/t"'), "registry"),
}


def target(folder: Path) -> str:
    write(folder / "model", FILES)
    return f"file://{folder}/model"


@pytest.mark.parametrize(
    ("changes", "part"), cases({**PUSHES, **(SLOW_PUSHES if full() else {})}, 5)
)
def test_a_target_that_answers_oddly_gets_the_image_whole_or_not_at_all(
    tmp_path: Path,
    registry: DockerRegistry,
    repository: str,
    changes: dict[str, Change],
    part: str,
) -> None:
    with HostileProxy(registry.host) as proxy:
        proxy.changes = {
            name: _own(change, proxy.url) if name == "/v2/" else change
            for name, change in changes.items()
        }
        place = ["--to", f"{proxy.host}/{repository}:1", "--base", "scratch", "--chunk-size", "5Mi"]
        done = modelcar(tmp_path, "build", target(tmp_path), *place)
    if part:
        done.refused(part)
        return
    done.well()
    digest = done.stdout.strip().rpartition("@")[2]
    again = modelcar(
        tmp_path, "build", target(tmp_path), "--to", f"{registry.host}/{repository}:1",
        "--base", "scratch", "--json",
    )  # fmt: skip
    assert json.loads(again.well().stdout)["digest"] == digest
    assert json.loads(again.stdout)["changed"] is False


def _own(change: Change, url: str) -> Change:
    """Put the server's own address where the challenge says SELF."""

    def changed(request: Request, answered: Response) -> Response:
        told = change(request, answered)
        header = told.headers.get("WWW-Authenticate", "")
        own = header.replace("SELF", f'Bearer realm="{url}/token"')
        return Response(told.status, {**told.headers, "WWW-Authenticate": own}, told.content)

    return changed


def tags(*pages: Any, link: str = "") -> dict[str, Change]:
    headers = {"Link": link} if link else {}
    content = json.dumps(pages[0]).encode()
    return {"/tags/list": always(Response(200, headers, Bytes(content)))}


def numbered() -> Change:
    """Return pages of tags, each of which leads to one more."""

    def change(request: Request, answered: Response) -> Response:
        at = int(request.query.get("last", "0")) + 1
        link = f'</v2/x/tags/list?last={at}>; rel="next"'
        return Response(200, {"Link": link}, Bytes(b'{"tags": []}'))

    return change


TAGS: dict[str, tuple[dict[str, Change], str]] = {
    "a-number": (tags({"tags": 5}), ""),
    "an-object": (tags({"tags": {"a": 1}}), ""),
    "a-text": (tags({"tags": "abc"}), ""),
    "null": (tags({"tags": None}), ""),
    "a-list-of-anything": (tags({"tags": [5, None, [], {}, "a"]}), ""),
    "that-lead-elsewhere": (tags({"tags": ["../../other/manifests/1", "a b", "\ud800"]}), ""),
    "nested-deeply": (
        {"/tags/list": always(Response(200, {}, Bytes(nested(100_000))))},
        "not what an OCI registry says",
    ),
    "a-page-that-leads-to-itself": (
        tags({"tags": ["a"]}, link='</v2/x/tags/list?n=1000>; rel="next"'),
        "",
    ),
    "a-page-that-leads-to-half-an-address": (
        tags({"tags": ["a"]}, link='<http://[::1>; rel="next"'),
        "no place",
    ),
    "a-page-that-leads-to-a-port-that-is-none": (
        tags({"tags": ["a"]}, link='<http://h:99999/>; rel="next"'),
        "no place",
    ),
    "a-page-that-leads-to-a-file": (
        tags({"tags": ["a"]}, link='<file:///etc/passwd>; rel="next"'),
        "no place",
    ),
    "a-page-that-is-endless": ({"/tags/list": always(endless())}, "more than 4194304 bytes"),
    "pages-without-end": ({"/tags/list": numbered()}, "has no end"),
}


@pytest.mark.parametrize(("changes", "part"), cases(TAGS, 2))
def test_tags_that_are_none_are_passed_over_or_refused(
    tmp_path: Path, registry: DockerRegistry, repository: str, changes: dict[str, Change], part: str
) -> None:
    with HostileProxy(registry.host) as proxy, HubServer({REPO: FILES}) as hub:
        proxy.changes = changes
        place = ["--to", f"{proxy.host}/{repository}:1", "--trust-target"]
        done = modelcar(tmp_path, "plan", f"hf://{REPO}", *place, HF_ENDPOINT=hub.url)
        other = [seen.target for seen in proxy.requests if "/other/" in seen.target]
    assert other == []
    if part:
        done.refused(part)
    else:
        done.well()


Body = Callable[[dict[str, Any]], Any]
CONFIG = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def planted(manifest: Any, config: bytes | None = None) -> dict[str, Change]:
    """Return a repository whose tags and digests all name one manifest, and its config."""
    held = json.dumps(CONFIG).encode() if config is None else config
    if isinstance(manifest, dict) and "config" not in manifest and "layers" in manifest:
        manifest = {**manifest, "config": {"digest": digest_of(held), "size": len(held)}}
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    kind = INDEX if b'"manifests"' in content else MANIFEST
    return {
        "/manifests/": always(Response(200, {"Content-Type": kind}, Bytes(content))),
        f"/blobs/{digest_of(held)}": always(Response(200, {}, Bytes(held))),
    }


def layer(**fields: Any) -> dict[str, Any]:
    return {"mediaType": LAYER, "digest": f"sha256:{HEX}", "size": 5, **fields}


WITH_ONE = json.dumps({**CONFIG, "rootfs": {"diff_ids": [f"sha256:{HEX}"]}}).encode()
NO_IMAGE = "it is no container image with a config"
BASES: dict[str, tuple[dict[str, Change], str]] = {
    "layers-are-a-number": (planted({"layers": 5}), NO_IMAGE),
    "layers-are-texts": (planted({"layers": ["a"]}, WITH_ONE), NO_IMAGE),
    "size-is-a-text": (planted({"layers": [layer(size="5")]}, WITH_ONE), NO_IMAGE),
    "size-is-negative": (planted({"layers": [layer(size=-5)]}, WITH_ONE), NO_IMAGE),
    "size-has-400-digits": (planted({"layers": [layer(size=10**400)]}, WITH_ONE), NO_IMAGE),
    "type-is-a-list": (planted({"layers": [layer(mediaType=[])]}, WITH_ONE), NO_IMAGE),
    "digest-is-foreign": (planted({"layers": [layer(digest="sha512:ab")]}, WITH_ONE), NO_IMAGE),
    "digest-leads-elsewhere": (planted({"layers": [layer(digest="../x")]}, WITH_ONE), NO_IMAGE),
    "more-layers-than-diff-ids": (planted({"layers": [layer()]}), NO_IMAGE),
    "config-nested-deeply": (planted({"layers": []}, nested(100_000)), NO_IMAGE),
    "config-is-a-list": (planted({"layers": []}, b"[]"), NO_IMAGE),
    "config-of-5-mib": (planted({"layers": []}, b" " * (5 << 20)), "more than 4194304 bytes"),
    "config-that-is-endless": (
        {**planted({"layers": []}), "/blobs/": always(endless())},
        "more than 4194304 bytes",
    ),
    "config-with-another-digest": (
        {**planted({"layers": []}), "/blobs/": always(Response(content=Bytes(b"{}")))},
        "its bytes have the digest",
    ),
    "config-that-redirects-in-a-loop": (
        {
            **planted({"layers": []}),
            "/blobs/": lambda request, answered: Response(302, {"Location": request.target}),
        },
        "it redirects without end",
    ),
    "config-at-a-file": (
        {**planted({"layers": []}), "/blobs/": refusal(302, Location="file:///etc/passwd")},
        "no place",
    ),
    "settings-are-a-text": (
        planted({"layers": []}, json.dumps({**CONFIG, "config": {"Env": "ab"}}).encode()),
        NO_IMAGE,
    ),
    "platform-is-a-number": (planted({"layers": []}, b'{"os": 5}'), NO_IMAGE),
    "manifest-nested-deeply": (planted(nested(100_000)), NO_IMAGE),
    "manifest-is-null": (planted(b"null"), NO_IMAGE),
    "manifest-is-not-utf-8": (planted(b'"\xff"'), NO_IMAGE),
    "index-of-nothing": (planted({"manifests": 5}), "it has no linux/amd64"),
    "index-of-texts": (planted({"manifests": ["a"] * 9}), "it has no linux/amd64"),
    "index-of-40000-platforms": (
        planted(
            {
                "manifests": [
                    {"digest": f"sha256:{n:064x}", "platform": {"os": "x", "architecture": "y"}}
                    for n in range(30_000)
                ]
            }
        ),
        "it has no linux/amd64",
    ),
    "index-that-names-itself": (
        planted(
            {
                "manifests": [
                    {
                        "digest": f"sha256:{HEX}",
                        "platform": {"os": "linux", "architecture": "amd64"},
                    }
                ]
            }
        ),
        "the OCI registry answered with",
    ),
    "manifest-that-is-endless": ({"/manifests/": always(endless())}, "more than 4194304 bytes"),
    "layer-that-is-endless": (
        {**planted({"layers": [layer()]}, WITH_ONE), f"/blobs/sha256:{HEX}": always(endless())},
        "more than 4194304 bytes",
    ),
}


@pytest.mark.parametrize(("changes", "part"), cases(BASES, 4))
def test_what_is_no_base_image_is_said_to_be_none(
    tmp_path: Path, changes: dict[str, Change], part: str
) -> None:
    with Answering() as registry:
        registry.changes = changes
        place = ["--to", "oci:image:1", "--base", f"{registry.host}/a/base:1"]
        done = modelcar(tmp_path, "build", target(tmp_path), *place)
    done.refused(part)
    assert not (tmp_path / "image/index.json").exists()


IMAGES: dict[str, Any] = {
    "no-json": b"\x00\xff",
    "nested-deeply": nested(100_000),
    "null": b"null",
    "a-list": b"[]",
    "layers-are-a-number": {"layers": 5},
    "layers-of-anything": {"layers": [5, None, {}, {"size": "x"}, {"size": 1e999}]},
    "sizes-of-4000-digits": {"layers": [{"size": 10**4000}]},
    "annotations-are-a-list": {"layers": [], "annotations": [1]},
    "annotations-are-no-texts": {
        "layers": [],
        "annotations": {
            "org.opencontainers.image.licenses": {"a": 1},
            "org.opencontainers.image.revision": ["x"],
            "io.modelcar-pipelines.model.parameters": 10**400,
        },
    },
    "annotations-that-steer-the-terminal": {
        "layers": [],
        "annotations": {
            "org.opencontainers.image.licenses": ESCAPE,
            "org.opencontainers.image.revision": f"{ESCAPE}\ud800",
            "io.modelcar-pipelines.model.dtypes": "BF16=" + "9" * 5000,
        },
    },
    "annotations-of-3-mib": {
        "layers": [],
        "annotations": {"org.opencontainers.image.licenses": "x" * (3 << 20)},
    },
}


@pytest.mark.parametrize("manifest", cases(IMAGES, 2))
def test_an_image_that_says_nonsense_of_itself_is_read_without_a_crash(
    tmp_path: Path, manifest: Any
) -> None:
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with Answering() as registry, ModelRegistryServer() as model_registry:
        registry.changes = planted(content)
        image = f"{registry.host}/a/b@{digest_of(content)}"
        named = ["--image", image, "--model-registry", model_registry.url]
        done = modelcar(tmp_path, "register", target(tmp_path), *named)
    done.sound()


LAYOUTS: dict[str, tuple[bytes, str]] = {
    "no-json": (b"\xff", "it is no OCI image index"),
    "nested-deeply": (nested(100_000), "it is no OCI image index"),
    "a-list": (b"[]", "it is no OCI image index"),
    "manifests-are-a-number": (b'{"manifests": 5}', "it is no OCI image index"),
    "manifests-are-texts": (b'{"manifests": ["a"]}', "it is no OCI image index"),
    "digest-leads-elsewhere": (
        b'{"manifests": [{"digest": "../../../etc/passwd"}]}',
        "it is no OCI image index",
    ),
    "digest-is-a-number": (b'{"manifests": [{"digest": 5}]}', "it is no OCI image index"),
    "of-5-mib": (b" " * (5 << 20), "more than 4194304 bytes"),
    "annotations-are-null": (
        b'{"manifests": [{"digest": "sha256:%s", "annotations": null}]}' % HEX.encode(),
        "",
    ),
    "tag-is-a-list": (
        b'{"manifests": [{"digest": "sha256:%s", "annotations": '
        b'{"org.opencontainers.image.ref.name": []}}]}' % HEX.encode(),
        "",
    ),
}


@pytest.mark.parametrize(("content", "part"), cases(LAYOUTS, 1))
def test_a_folder_that_is_no_layout_is_refused_before_the_tag_is_written(
    tmp_path: Path, content: bytes, part: str
) -> None:
    write(tmp_path / "image", {"index.json": content, "oci-layout": b"{}"})
    place = ["--to", "oci:image:1", "--base", "scratch"]
    done = modelcar(tmp_path, "build", target(tmp_path), *place)
    if part:
        done.refused(part)
        assert (tmp_path / "image/index.json").read_bytes() == content
    else:
        done.well()
