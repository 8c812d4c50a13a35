"""Which hosts are reached through a proxy, and how much of an answer is read."""

import gzip
import zlib
from io import BytesIO

import pytest
import urllib3

from modelcar.connections import proxy_for, small

PROXY = "http://proxy.internal:3128"


@pytest.mark.parametrize(
    ("url", "through"),
    [
        ("https://10.20.0.5:6443", False),
        ("https://11.0.0.5:6443", True),
        ("https://[fd00::5]", False),
        ("https://quay.io/v2/", True),
        ("https://image-registry.openshift-image-registry.svc:5000/v2/", False),
        ("https://tiny-predictor.models.svc.cluster.local:8443/v1/models", True),
        ("https://hub.internal", False),
        ("https://127.0.0.1:5000", False),
    ],
)
def test_hosts_domains_and_networks_of_no_proxy_have_none(
    monkeypatch: pytest.MonkeyPatch, url: str, through: bool
) -> None:
    for name in ("https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, fd00::/8,.internal,.svc,not/a/network")
    assert proxy_for(url) == (PROXY if through else "")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
def test_what_is_compressed_unasked_is_read_up_to_the_limit(encoding: str) -> None:
    text = b"many bytes of few" * 1000
    sent = zlib.compress(text) if encoding == "deflate" else gzip.compress(text)
    for most, expected in ((len(text), text), (100, text[:101])):
        answer = urllib3.HTTPResponse(
            BytesIO(sent), {"Content-Encoding": encoding}, 200, preload_content=False
        )
        assert small(answer, most).data == expected
