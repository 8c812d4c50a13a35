"""The API server behind a proxy, which alone knows its name."""

from pathlib import Path

from tests.byte_path import modelcar
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.kube import NAME as API_SERVER
from tests.servers.kube import KubeServer


def test_the_api_server_is_reached_by_the_proxy(kube: KubeServer, tmp_path: Path) -> None:
    server = kube.url.replace("127.0.0.1", API_SERVER)
    variables = {"KUBECONFIG": str(kube.kubeconfig(server=server)), "no_proxy": ""}
    with ForwardProxy() as proxy:
        variables |= dict.fromkeys(
            ("HTTPS_PROXY", "https_proxy"), f"http://me:C4naryBird@{proxy.host}"
        )
        done = modelcar(tmp_path, "undeploy", "nothing", "-n", "default", **variables)
    assert done.returncode == 0, done.stderr
    assert set(proxy.asked) == {f"CONNECT {server.removeprefix('https://')}"}
    assert set(proxy.credentials) == {"Basic bWU6QzRuYXJ5QmlyZA=="}
