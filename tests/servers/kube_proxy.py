"""A proxy before a real API server, by which something happens just before a write."""

import ssl
from collections.abc import Callable

import urllib3

from tests.servers.kube import KubeServer
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response


class KubeProxy(LoopbackServer):
    """Forward everything but watches; call `before` once, ahead of the first PATCH that counts."""

    def __init__(self, kube: KubeServer, before: Callable[[], object]) -> None:
        super().__init__(tls=(kube.ca_file, kube.folder / "server.key"))
        self._kube, self._before = kube, [before]
        context = ssl.create_default_context(cafile=kube.ca_file)
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False)

    def answer(self, request: Request) -> Response:
        if request.method == "PATCH" and "dryRun" not in request.query and self._before:
            self._before.pop()()
        answer = self._pool.request(
            request.method,
            self._kube.url + request.target,
            headers={
                name: request.headers[name]
                for name in ("Authorization", "Content-Type", "Accept")
                if name in request.headers
            },
            body=request.body or None,
        )
        kind = {"Content-Type": answer.headers["Content-Type"]}
        return Response(answer.status, kind, Bytes(answer.data))
