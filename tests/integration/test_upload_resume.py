"""An upload that broke goes on where the OCI registry says it stopped; bytes count at the proxy."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelcar.errors import OciRegistryError
from modelcar.kept_upload import KeptUpload
from modelcar.oci.content import Content
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.values import Digest
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy

BLOB = bytes(range(251)) * 4001
SIZE, MIDDLE = len(BLOB), len(BLOB) // 2
DIGEST = Digest(hashlib.sha256(BLOB).hexdigest())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcar.retries.PAUSE", 0.001)


@pytest.fixture
def proxy(oci_registry: DockerRegistry) -> Iterator[FaultyProxy]:
    with FaultyProxy(oci_registry.host, resumable=True) as server:
        yield server


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptUpload]:
    upload = KeptUpload(tmp_path / "uploads" / "one")
    yield upload
    upload.close()


class Source:
    """Gives BLOB from any offset, and knows what it was asked for."""

    def __init__(self, block: int = 40_000) -> None:
        self.starts: list[int] = []
        self._block = block

    def content(self) -> Content:
        return Content(SIZE, self.read)

    def read(self, start: int) -> Iterator[bytes]:
        self.starts.append(start)
        for at in range(start, SIZE, self._block):
            yield BLOB[at : at + self._block]


def store(proxy: FaultyProxy, repository: str, chunk: int = 0) -> OciRepository:
    return OciRepository(Repository(proxy.host, repository), chunk)


def stands(oci_registry: DockerRegistry, repository: str) -> bool:
    blob = OciRepository(Repository(oci_registry.host, repository)).open_blob(DIGEST)
    return b"".join(blob) == BLOB


def sent(proxy: FaultyProxy, method: str) -> list[int]:
    return [seen.status for seen in proxy.requests if seen.method == method]


@pytest.mark.parametrize("after", [0, 2, MIDDLE, SIZE - 1])
def test_no_byte_is_sent_twice_after_a_cut(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, after: int
) -> None:
    proxy.drop("PATCH", after)
    source = Source()

    assert store(proxy, repository).push_blob(source.content()) == DIGEST

    assert proxy.received("PATCH") == SIZE
    assert sent(proxy, "POST") == [202]
    # What the source is read again for is what lies between, and never hashed a second time.
    assert len(source.starts) == 2
    assert source.starts[1] <= after
    assert stands(oci_registry, repository)


def test_a_cut_at_every_turn_ends_as_long_as_there_is_progress(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str
) -> None:
    proxy.drop("PATCH", SIZE // 12, times=11)
    assert store(proxy, repository).push_blob(Source().content()) == DIGEST
    assert proxy.received("PATCH") == SIZE
    assert stands(oci_registry, repository)


def test_another_process_goes_on_with_the_upload(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, kept: KeptUpload
) -> None:
    def ending(start: int) -> Iterator[bytes]:
        yield BLOB[start:MIDDLE]
        raise KeyboardInterrupt  # as a killed process ends

    dropped = threading.Event()
    proxy.drop("PATCH", MIDDLE - 1000, then=dropped.set)
    with pytest.raises(KeyboardInterrupt):
        store(proxy, repository).push_blob(Content(SIZE, ending), kept)
    assert kept.get()
    assert dropped.wait(20), "the client may end before the proxy has read what was sent"
    held = proxy.received("PATCH")
    assert 0 < held < SIZE

    assert store(proxy, repository).push_blob(Source().content(), kept) == DIGEST

    assert proxy.received("PATCH") == SIZE
    assert not kept.get()
    assert stands(oci_registry, repository)


def drop_and(fault: Callable[[FaultyProxy], None]) -> Callable[[FaultyProxy], None]:
    """Return what cuts an upload in the middle and brings `fault` behind it."""

    def both(proxy: FaultyProxy) -> None:
        proxy.drop("PATCH", MIDDLE)
        fault(proxy)

    return both


def told(text: str | None) -> Callable[[FaultyProxy], None]:
    """Return what lets the OCI registry say so of an upload."""
    return drop_and(lambda proxy: proxy.reword("GET", "Range", text, part="/uploads/"))


Fault = Callable[[FaultyProxy], None]
LOST: dict[str, Fault] = {
    "unknown": lambda proxy: proxy.drop("PATCH", MIDDLE, then=proxy.forget),
    "out of range": drop_and(lambda proxy: proxy.refuse("PATCH", 416)),
    "too much": told(f"0-{SIZE * 2}"),
    "too much within": told(f"0-{SIZE - 2}"),
    "too little": told("0-9"),
    "garbage": told("bytes */*"),
    "missing": told(None),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
def test_an_upload_that_cannot_go_on_starts_again(
    proxy: FaultyProxy,
    oci_registry: DockerRegistry,
    repository: str,
    fault: Callable[[FaultyProxy], None],
) -> None:
    fault(proxy)
    assert store(proxy, repository).push_blob(Source().content()) == DIGEST
    assert sent(proxy, "POST") == [202, 202]
    assert stands(oci_registry, repository)


def test_an_upload_that_docker_registry_gave_up_starts_again(
    oci_registry: DockerRegistry, repository: str
) -> None:
    with FaultyProxy(oci_registry.host) as proxy:
        proxy.drop("PATCH", MIDDLE, passed_on=True)
        assert store(proxy, repository).push_blob(Source().content()) == DIGEST
        assert 404 in sent(proxy, "GET")
    assert stands(oci_registry, repository)


def test_a_kept_upload_that_ran_out_starts_again(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, kept: KeptUpload
) -> None:
    kept.put(f"http://{proxy.host}/v2/{repository}/blobs/uploads/0123?_state=old")
    assert store(proxy, repository).push_blob(Source().content(), kept) == DIGEST
    assert stands(oci_registry, repository)


def test_a_kept_upload_at_another_host_is_not_asked_for(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, kept: KeptUpload
) -> None:
    kept.put(f"http://{oci_registry.host}/v2/{repository}/blobs/uploads/0123")
    before = len(oci_registry.asked())
    assert store(proxy, repository).push_blob(Source().content(), kept) == DIGEST
    assert not [line for line in oci_registry.asked()[before:] if "uploads/0123" in line]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_answer_that_is_lost_costs_no_second_upload(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, method: str
) -> None:
    proxy.lose(method)
    assert store(proxy, repository).push_blob(Source().content()) == DIGEST
    assert proxy.received("PATCH") == SIZE
    assert stands(oci_registry, repository)


def test_chunks_follow_one_another_and_the_source_is_read_once(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str
) -> None:
    source = Source()
    assert store(proxy, repository, chunk=300_000).push_blob(source.content()) == DIGEST
    assert sent(proxy, "PATCH") == [202] * 4
    assert source.starts == [0]
    assert stands(oci_registry, repository)


def test_chunks_pass_a_body_limit_that_refuses_the_whole(
    oci_registry: DockerRegistry, repository: str
) -> None:
    with FaultyProxy(oci_registry.host, limit=400_000) as proxy:
        with pytest.raises(OciRegistryError, match=r"HTTP 413.*--chunk-size"):
            store(proxy, repository).push_blob(Source().content())
        assert store(proxy, repository, chunk=300_000).push_blob(Source().content()) == DIGEST
    assert stands(oci_registry, repository)


def test_a_chunk_that_broke_is_sent_again(oci_registry: DockerRegistry, repository: str) -> None:
    with FaultyProxy(oci_registry.host) as proxy:
        proxy.drop("PATCH", 1000)
        assert store(proxy, repository, chunk=300_000).push_blob(Source().content()) == DIGEST
        assert sent(proxy, "POST") == [202]
    assert stands(oci_registry, repository)


def test_where_patch_is_refused_one_put_takes_all(
    oci_registry: DockerRegistry, repository: str
) -> None:
    with FaultyProxy(oci_registry.host, patch=False) as proxy:
        assert store(proxy, repository).push_blob(Source().content()) == DIGEST
        assert proxy.received("PUT") == SIZE
        assert set(sent(proxy, "PATCH")) == {405}
    assert stands(oci_registry, repository)


def test_content_that_ends_early_is_an_error_and_no_wait(
    proxy: FaultyProxy, repository: str
) -> None:
    with pytest.raises(Exception, match="it ended at byte 1000, before"):
        store(proxy, repository).push_blob(Content(SIZE, lambda start: [BLOB[start:1000]]))


def test_quay_counts_the_bytes_where_others_name_the_last(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str
) -> None:
    proxy.drop("PATCH", MIDDLE)
    proxy.reword("GET", "Range", f"bytes=0-{MIDDLE}", part="/uploads/")
    assert store(proxy, repository).push_blob(Source().content()) == DIGEST
    assert proxy.received("PATCH") == SIZE
    assert stands(oci_registry, repository)


@pytest.mark.parametrize("status", [403, 405, 500])
def test_an_upload_that_cannot_be_asked_for_wedges_no_run(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, kept: KeptUpload, status: int
) -> None:
    kept.put(f"http://{proxy.host}/v2/{repository}/blobs/uploads/0123")
    proxy.fail("/uploads/0123", status, times=9, method="GET")
    if status == 500:
        with pytest.raises(OciRegistryError, match="HTTP 500"):
            store(proxy, repository).push_blob(Source().content(), kept)
        assert not kept.get()
    assert store(proxy, repository).push_blob(Source().content(), kept) == DIGEST
    assert stands(oci_registry, repository)


def test_only_one_process_goes_on_with_an_upload(tmp_path: Path) -> None:
    first, second = (KeptUpload(tmp_path / "uploads" / "one") for _ in range(2))
    first.put("https://here")
    assert second.get() == ""
    second.put("https://there")
    assert first.get() == "https://here"
    first.put("")
    second.close()
    assert not list((tmp_path / "uploads").iterdir())


def test_a_server_may_pause_for_longer_than_it_takes_to_connect(
    oci_registry: DockerRegistry, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelcar.connections.REACH", 0.2)
    large = BLOB * 16  # more than the buffers of a connection hold
    content = Content(len(large), lambda start: [large[start:]])
    with FaultyProxy(oci_registry.host) as proxy:
        gate = proxy.stall("PATCH", 1000)
        pause = threading.Timer(1.0, gate.release)
        pause.start()
        store(proxy, repository).push_blob(content)
        pause.join()
        assert sent(proxy, "PATCH") == [202]
        assert sent(proxy, "POST") == [202]


def test_what_is_in_memory_goes_in_one_put(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str
) -> None:
    assert store(proxy, repository).push_blob(Content.of(BLOB)) == DIGEST
    assert sent(proxy, "PATCH") == []
    assert proxy.received("PUT") == SIZE
    assert stands(oci_registry, repository)
