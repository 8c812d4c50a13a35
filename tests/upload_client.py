"""An upload to an OCI registry in single requests of raw HTTP."""

import hashlib
import http.client
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

BLOB = bytes(range(251)) * 4000
SIZE = len(BLOB)
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `code` is that of an error."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["errors"][0]["code"])


@dataclass(slots=True)
class Client:
    """Uploads `BLOB` over one connection, which is opened anew after it broke."""

    host: str
    repository: str
    address: str = ""
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(self.host, timeout=30)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        with suppress(ConnectionError):  # the answer may be there all the same
            self.connection.request(method, target, body, named)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def open(self) -> Answer:
        return self._followed(self.ask("POST", f"/v2/{self.repository}/blobs/uploads/"))

    def where(self) -> Answer:
        return self._followed(self.ask("GET", self.address))

    def patch(self, start: int, stop: int = SIZE) -> Answer:
        span = f"{start}-{stop - 1}"
        return self._followed(self.ask("PATCH", self.address, BLOB[start:stop], Content_Range=span))

    def commit(self, body: bytes = b"") -> Answer:
        joint = "&" if "?" in self.address else "?"
        return self.ask("PUT", f"{self.address}{joint}digest={DIGEST}", body)

    def blob(self) -> Answer:
        return self.ask("GET", f"/v2/{self.repository}/blobs/{DIGEST}")

    def loses(self, request: Callable[[], Answer]) -> None:
        """Make a request to which there is no answer."""
        with pytest.raises(ConnectionError):
            request()
        self.connection.close()

    def _followed(self, answer: Answer) -> Answer:
        if location := answer.headers.get("Location"):
            parts = urlsplit(location)
            self.address = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return answer


def finish(client: Client, start: int) -> None:
    """Send what is missing, and see the blob as it is."""
    assert client.patch(start).status == 202
    assert client.commit().status == 201
    assert client.blob().body == BLOB
