"""An OCI registry that counts what it receives, and keeps of a large blob its size only."""

import hashlib
import itertools
import re
from io import BufferedIOBase
from typing import Final

from tests.servers.hub_repository import Zeros
from tests.servers.loopback import BLOCK, Bytes, Content, LoopbackServer, Request, Response

_PATH: Final = re.compile(r"/v2/(?P<repo>.+)/(?P<kind>blobs|manifests)/(?P<name>.+)")
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_SMALL: Final = 1 << 20


class SinkRegistry(LoopbackServer):
    """Takes each digest for right, unseen; `received` counts the bytes of all blobs."""

    def __init__(self) -> None:
        super().__init__()
        self.host = self.url.partition("://")[2]
        self.received = 0
        self._numbers = itertools.count(1)
        self._uploads: dict[str, Content] = {}
        self._blobs: dict[str, Content] = {}
        self._manifests: dict[str, bytes] = {}

    def body(self, request: Request, stream: BufferedIOBase, length: int) -> bytes:
        """Read a large part of a blob block by block, and keep none of it."""
        if length <= _SMALL or request.method != "PATCH":
            return super().body(request, stream, length)
        left = length
        while left and (block := stream.read(min(BLOCK, left))):
            left -= len(block)
        if left:
            raise ConnectionResetError(f"{left} bytes are missing")
        return b""

    def answer(self, request: Request) -> Response:
        """Answer as the distribution specification 1.1 says; there are no referrers."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            return Response(200 if request.path == "/v2/" else 404)
        repo, kind, name = match.groups()
        if kind == "manifests":
            return self._manifest(request, f"{repo} {name}", name)
        if name.startswith("uploads/"):
            return self._upload(request, repo, name.removeprefix("uploads/"))
        content = self._blobs.get(f"{repo} {name}")
        return Response(200, {"Docker-Content-Digest": name}, content) if content else Response(404)

    def _upload(self, request: Request, repo: str, number: str) -> Response:
        if request.method == "POST":
            number = str(next(self._numbers))
        content = self._joined(number, request)
        if request.method == "PUT":
            digest = request.query["digest"]
            self._blobs[f"{repo} {digest}"] = self._uploads.pop(number)
            return Response(201, {"Location": f"/v2/{repo}/blobs/{digest}"})
        headers = {"Location": f"/v2/{repo}/blobs/uploads/{number}"}
        held = {"Range": f"0-{content.size - 1}"} if content.size else {}
        return Response(202, headers | held)

    def _joined(self, number: str, request: Request) -> Content:
        """Return what the upload holds, with the request's body at its end."""
        held = self._uploads.get(number, Bytes())
        size = len(request.body) or int(request.headers.get("Content-Length") or 0)
        content: Content = Zeros(held.size + size)
        if isinstance(held, Bytes) and size == len(request.body):
            content = Bytes(held.data + request.body)
        with self._lock:
            self._uploads[number] = content
            self.received += size
        return content

    def _manifest(self, request: Request, key: str, name: str) -> Response:
        if request.method == "PUT":
            self._manifests[key] = request.body
            self._manifests[f"{key.removesuffix(name)}{_digest(request.body)}"] = request.body
        content = self._manifests.get(key)
        if content is None:
            return Response(404)
        headers = {"Content-Type": _MANIFEST, "Docker-Content-Digest": _digest(content)}
        if request.method == "PUT":
            return Response(201, headers)
        return Response(200, headers, Bytes(content))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
