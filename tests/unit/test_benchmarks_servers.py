"""The servers that `make bench` counts with."""

import urllib3

from benchmarks.relay import Relay
from benchmarks.sink import SinkRegistry
from tests.servers.hub import HubServer

SIZE = 3_000_000
BLOBS = "/v2/models/one/blobs"
MANIFESTS = "/v2/models/one/manifests"


def test_a_relay_counts_what_passes_each_way() -> None:
    with HubServer({"one/model": {"weights.bin": bytes(SIZE)}}) as hub:
        with Relay(int(hub.url.rpartition(":")[2])) as relay:
            url = f"http://{relay.host}/cdn/one/model/{hub.commit('one/model')}/weights.bin"
            answer = urllib3.request("GET", url, headers={"Connection": "close"})
            assert answer.data == bytes(SIZE)
        assert 0 < relay.sent < 1000
        assert SIZE < relay.received < SIZE + 1000
        assert len(hub.requests) == 1


def test_a_sink_counts_a_large_blob_and_keeps_its_size_only() -> None:
    with SinkRegistry() as sink, urllib3.PoolManager() as pool:
        opened = pool.request("POST", f"{sink.url}{BLOBS}/uploads/", body=b"")
        url = f"{sink.url}{opened.headers['Location']}"
        sent = pool.request("PATCH", url, body=b"1" * SIZE)
        assert (sent.status, sent.headers["Range"]) == (202, f"0-{SIZE - 1}")
        digest = f"sha256:{'1' * 64}"
        assert pool.request("PUT", f"{url}?digest={digest}", body=b"").status == 201

        head = pool.request("HEAD", f"{sink.url}{BLOBS}/{digest}")
        assert head.headers["Content-Length"] == str(SIZE)
        assert pool.request("HEAD", f"{sink.url}{BLOBS}/sha256:{'2' * 64}").status == 404
        assert sink.received == SIZE


def test_a_sink_gives_a_small_blob_and_a_manifest_back() -> None:
    with SinkRegistry() as sink, urllib3.PoolManager() as pool:
        opened = pool.request("POST", f"{sink.url}{BLOBS}/uploads/", body=b"")
        url = f"{sink.url}{opened.headers['Location']}?digest=sha256:{'1' * 64}"
        pool.request("PUT", url, body=b"a config")
        assert pool.request("GET", f"{sink.url}{BLOBS}/sha256:{'1' * 64}").data == b"a config"

        assert pool.request("GET", f"{sink.url}{MANIFESTS}/1").status == 404
        put = pool.request("PUT", f"{sink.url}{MANIFESTS}/1", body=b"{}")
        for name in ("1", put.headers["Docker-Content-Digest"]):
            assert pool.request("GET", f"{sink.url}{MANIFESTS}/{name}").data == b"{}"
