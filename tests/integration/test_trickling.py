"""Peers that send byte by byte, ever so slowly: each is given up, and named."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from modelcar import connections, pace, retries, trust
from modelcar.errors import DeployError, HubError, OciRegistryError
from modelcar.hub import Hub
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.serving.smoke import smoke
from modelcar.values import Digest, ModelSource
from tests.byte_path import REPO, safetensors
from tests.campaigns.hostile import RawServer
from tests.servers.certificate import self_signed
from tests.servers.hub import HubServer
from tests.servers.loopback import Bytes, Content, LoopbackServer, Request, Response
from tests.servers.vllm import COMPLETIONS, WORDS, VllmServer, events

WEIGHTS = "model.safetensors"
BLOB = b"0" * 2000
FILES = {"config.json": b"{}", WEIGHTS: safetensors(2000)}
CDN = "/cdn/"
SECONDS, PAUSE = 1.0, 0.25
"""What a block may take, and what is between two bytes: they never end in time."""


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "EVERY", SECONDS / 20)
    monkeypatch.setattr(connections, "STORE", SECONDS)
    monkeypatch.setattr(retries, "PAUSE", 0.01)
    monkeypatch.setattr(retries, "ATTEMPTS", 2)


@dataclass(frozen=True)
class Trickle:
    """The bytes of other content, one at a time after those that come at once."""

    content: Content
    at_once: int

    @property
    def size(self) -> int:
        return self.content.size

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        for block in self.content.blocks(start, stop):
            yield block[: self.at_once]
            for byte in block[self.at_once :]:
                time.sleep(PAUSE)
                yield bytes((byte,))


class Trickling(LoopbackServer):
    """Answers the next `times` requests for what is named so byte by byte."""

    named, times, at_once = "", 0, 0

    def trickle(self, named: str, times: int = 99, at_once: int = 0) -> None:
        self.named, self.times, self.at_once = named, times, at_once

    def answer(self, request: Request) -> Response:
        answered = super().answer(request)
        if self.times and self.named in request.path and answered.content.size:
            self.times -= 1
            return replace(answered, content=Trickle(answered.content, self.at_once))
        return answered


class TricklingHub(Trickling, HubServer):
    pass


class TricklingVllm(Trickling, VllmServer):
    pass


class Blobs(LoopbackServer):
    def answer(self, request: Request) -> Response:
        return Response(content=Bytes(BLOB))


class TricklingBlobs(Trickling, Blobs):
    pass


def read(hub: Hub) -> bytes:
    source = ModelSource.parse(f"hf://{REPO}")
    (file,) = (one for one in hub.listing(source).files if one.path == WEIGHTS)
    return b"".join(hub.open(source, file, 0))


def test_a_hub_that_trickles_is_given_up() -> None:
    with TricklingHub({REPO: FILES}) as server:
        server.trickle(CDN)
        with pytest.raises(HubError, match=f"{WEIGHTS} of hf://.*comes too slowly"):
            read(Hub(server.url))
        assert server.times == 99 - retries.ATTEMPTS


def test_one_that_trickled_for_a_while_gives_the_bytes() -> None:
    with TricklingHub({REPO: FILES}) as server:
        server.trickle(CDN, times=retries.ATTEMPTS - 1)
        assert read(Hub(server.url)) == FILES[WEIGHTS]


def test_one_in_tls_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = self_signed(tmp_path, "localhost")
    monkeypatch.setenv("MODELCAR_CA_BUNDLE", str(certificate))
    trust.tls_context.cache_clear()
    with TricklingHub({REPO: FILES}, tls=(certificate, key)) as server:
        assert read(Hub(server.url)) == FILES[WEIGHTS]
        server.trickle(CDN)
        with pytest.raises(HubError, match="comes too slowly"):
            read(Hub(server.url))
    trust.tls_context.cache_clear()


def test_what_follows_an_answer_without_end_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    with RawServer(head, b"a: b\r\n", ending=b"") as server:
        source = ModelSource.parse(f"hf://{REPO}")
        with pytest.raises(HubError, match="comes too slowly"):
            Hub(server.url).listing(source)


def test_a_listing_that_trickles_is_given_up() -> None:
    with TricklingHub({REPO: FILES}) as server:
        server.trickle("/api/models/")
        with pytest.raises(HubError, match=r"reading the listing of hf://.*comes too slowly"):
            read(Hub(server.url))


def test_a_blob_that_trickles_is_given_up() -> None:
    digest = Digest(hashlib.sha256(BLOB).hexdigest())
    with TricklingBlobs() as server:
        repository = OciRepository(Repository(server.url.removeprefix("http://"), "a/b"))
        assert b"".join(repository.open_blob(digest)) == BLOB
        server.trickle("/blobs/")
        with pytest.raises(OciRegistryError, match="comes too slowly"):
            b"".join(repository.open_blob(digest))


@pytest.mark.parametrize("path", ["/v1/models", "/v1/completions"])
def test_an_endpoint_that_trickles_is_given_up(path: str) -> None:
    with TricklingVllm("tiny") as server:
        server.trickle(path)
        with pytest.raises(DeployError, match=f"{path}: its answer comes too slowly"):
            smoke(server.url, "tiny", timeout=2 * SECONDS, retries=0)


def test_an_endpoint_whose_refusal_trickles_is_given_up() -> None:
    with TricklingVllm("tiny", tasks=()) as server:
        server.trickle("/v1/completions")
        with pytest.raises(DeployError, match="/v1/completions: its answer comes too slowly"):
            smoke(server.url, "tiny", timeout=2 * SECONDS, retries=0)


def test_a_model_that_said_a_word_in_time_answers() -> None:
    first = next(events(COMPLETIONS, WORDS)).encode()
    with TricklingVllm("tiny") as server:
        server.trickle(COMPLETIONS, at_once=len(first))
        assert smoke(server.url, "tiny", timeout=2 * SECONDS, retries=0).text == WORDS[0]
