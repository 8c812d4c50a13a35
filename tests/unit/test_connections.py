"""Which hosts are reached through a proxy."""

import pytest

from modelcar.connections import proxy_for

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
