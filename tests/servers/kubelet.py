"""A node of a real API server, and its kubelet as far as logs go."""

import secrets
from typing import Any, Self

from tests.servers.kube import KubeServer
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response

_MERGE = "application/merge-patch+json"


class Kubelet(LoopbackServer):
    """Register a node at the API server, and answer for the logs of its containers.

    `logs` holds what each container said before it ended, by its name.
    """

    def __init__(self, server: KubeServer) -> None:
        super().__init__(tls=(server.ca_file, server.folder / "server.key"))
        self.node = f"gpu-{secrets.token_hex(4)}"
        self.logs: dict[str, str] = {}
        self._kube = server

    def __enter__(self) -> Self:
        entered = super().__enter__()
        self._kube.request("POST", "/api/v1/nodes", {"metadata": {"name": self.node}})
        path = f"/api/v1/nodes/{self.node}/status"
        self._kube.request("PATCH", path, {"status": self._status()}, _MERGE)
        return entered

    def _status(self) -> dict[str, Any]:
        port = int(self.url.rpartition(":")[2])
        return {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }

    def answer(self, request: Request) -> Response:
        kind, container = request.path.split("/")[1], request.path.rpartition("/")[2]
        if kind != "containerLogs" or container not in self.logs:
            return Response(404)
        if request.query.get("previous") != "true":
            return Response(200, {"Content-Type": "text/plain"}, Bytes(b"INFO starting again\n"))
        return Response(200, {"Content-Type": "text/plain"}, Bytes(self.logs[container].encode()))
