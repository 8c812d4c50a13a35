"""Uploads that outlive a broken connection, played before a server that ends them then.

docker-registry signs the offset into the address of an upload: once a PATCH broke off, the address
that its client has is wrong for good. Quay and zot keep one address and go on where the bytes end.
"""

import copy
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tests.servers.loopback import Bytes, Request, Response

UPLOAD = re.compile(r"/v2/.+/blobs/uploads/[^/]+")
_CONTENT_RANGE = re.compile(r"(\d+)-\d+")


@dataclass(slots=True)
class _Session:
    """One upload; `target` is its newest path and query at the server behind, `held` its bytes."""

    target: str
    held: int = 0
    writer: object = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class UploadSessions:
    """Gives every upload an address that stays, and forwards to where it stands with `forward`."""

    def __init__(self, forward: Callable[[Request], Response]) -> None:
        self._forward = forward
        self._sessions: dict[str, _Session] = {}

    def refusal(self, request: Request) -> Response | None:
        """Return the 416 of a PATCH that does not begin where the upload ends; call it first.

        A PATCH that is still under way when the next request for its upload comes is void.
        """
        session = self._sessions.get(request.path)
        if session is None:
            return None
        session.writer = request.headers  # the same object as long as the request lives
        match = _CONTENT_RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if request.method == "PATCH" and match and int(match[1]) != session.held:
            return _out_of_order(request.path, session)
        return None

    def take(self, request: Request) -> Response:
        """Answer one request, whatever it is for."""
        session = self._sessions.get(request.path)
        if session is not None:
            with session.lock:
                return self._taken(session, request)
        if UPLOAD.fullmatch(request.path):
            return unknown()
        response = self._forward(request)
        if request.method == "POST" and response.status == 202:
            path, target = _location(response)
            self._sessions[path] = _Session(target)
            return _stable(response)
        return response

    def keep(self, request: Request, part: bytes) -> None:
        """Store the first bytes of a PATCH that broke off."""
        if request.method == "PATCH" and part:
            self.take(replace(request, body=part))

    def _taken(self, session: _Session, request: Request) -> Response:
        patch = request.method == "PATCH"
        if patch and session.writer is not request.headers:
            return _out_of_order(request.path, session)
        response = self._forward(_at(session.target, request))
        if response.status in (201, 204) and request.method in ("PUT", "DELETE"):
            del self._sessions[request.path]
        elif response.status in (202, 204):
            session.target = _location(response)[1]
            session.held += len(request.body) if patch else 0
            return _stable(response)
        return response


def unknown() -> Response:
    """Return how an OCI registry answers for an upload that it does not have."""
    return refused(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


def refused(status: int, code: str, message: str) -> Response:
    """Return an error as OCI registries tell it, for a request whose body was not read."""
    return closing(Response.json({"errors": [{"code": code, "message": message}]}, status))


def closing(response: Response) -> Response:
    """Return the response for a request whose body was not read: it ends the connection."""
    return replace(response, headers={"Connection": "close", **response.headers})


def _out_of_order(path: str, session: _Session) -> Response:
    headers = {"Location": path, "Range": f"0-{max(session.held - 1, 0)}"}
    return closing(Response(416, headers, Bytes(b"")))


def _at(target: str, request: Request) -> Request:
    query = urlsplit(request.target).query
    headers = copy.copy(request.headers)
    del headers["Content-Range"]  # of the whole body, of which this may be a part
    return replace(request, target=f"{target}&{query}" if query else target, headers=headers)


def _location(response: Response) -> tuple[str, str]:
    parts = urlsplit(response.headers["Location"])
    return parts.path, f"{parts.path}?{parts.query}"


def _stable(response: Response) -> Response:
    return replace(response, headers={**response.headers, "Location": _location(response)[0]})
