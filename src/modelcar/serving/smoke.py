"""Asking an endpoint whether it lists the model, and whether it answers.

A server may be healthy, list its model, and fail at the first completion: so one is asked for.
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
from urllib3.exceptions import HTTPError

from modelcar import pace
from modelcar.connections import pool, proxy_for, small
from modelcar.errors import DeployError
from modelcar.retries import backoff
from modelcar.serving import answers
from modelcar.trust import ca_files, tls_context
from modelcar.wording import line

_TOKENS = 32
_SHORT: dict[str, Any] = {
    "max_tokens": _TOKENS,
    "ignore_eos": True,  # as many tokens as asked for, so that their rate can be compared
    "temperature": 0,
    "stream": True,
    "stream_options": {"include_usage": True},
}
_STREAMED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/completions", {"prompt": "Hello", **_SHORT}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}], **_SHORT}),
)
_SHORTEST = 0.01
"""Seconds below which tokens came at once, from a buffer: that is no rate."""
_NAMES, _SHOWN, _LONGEST, _TEXT, _REFUSAL = 5, 80, 600, 2000, 4096
_NOT_OFFERED = ("does not support", "not supported", "chat template")
_NOT_YET = (502, 503, 504)
_REMEDIES = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        "a login page stands before the endpoint: set MODELCAR_ENDPOINT_TOKEN",
    ),
    401: "set MODELCAR_ENDPOINT_TOKEN, of an account that may `get` this InferenceService",
    403: "let the account `get` this InferenceService (the service's view Role)",
    **dict.fromkeys(_NOT_YET, "look at the Route and at the pod's log"),
    404: "check that the serving runtime is vLLM's",
}
_READ_LOG = "read the log of the pod's kserve-container"


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """What the model answered; for an embedding, `text` says how long it is."""

    seconds_to_first_token: float
    text: str
    tokens_per_second: float = 0.0
    """From the first token on; 0 for what came at once, and for an embedding."""


NOT_ASKED: Final = SmokeResult(0.0, "")


class _NotOfferedError(DeployError):
    """The server has no such task for this model."""


def smoke(
    url: str,
    model_name: str,
    *,
    token: str = "",
    ca_file: str = "",
    timeout: float = 120.0,
    retries: int = 6,
) -> SmokeResult:
    """Ask the endpoint for its models and for one short completion; raise DeployError.

    A model without plain completions is asked to chat, one without either for an embedding.
    `timeout` is in seconds, for each request; `retries`, with pauses that grow to half a minute
    in all, are for a router that does not know the service yet.
    """
    server = _Server(url.rstrip("/"), token, ca_file, timeout, retries)
    _require_listed(server, model_name)
    for path, question in _STREAMED:
        try:
            return _stream(server, path, {"model": model_name, **question})
        except _NotOfferedError:
            continue
    return _embed(server, {"model": model_name, "input": "Hello"})


class _Server:
    def __init__(self, base: str, token: str, ca_file: str, timeout: float, retries: int) -> None:
        self.base, self._seconds, self._retries = base, timeout, retries
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = pool(proxy_for(base), _context(ca_file), timeout=timeout)

    @contextmanager
    def asked(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Yield the answer, its body unread; turn refusals and broken connections into ours."""
        try:
            with self._answer(method, self.base + path, body) as response:
                if response.status != 200:
                    raise self._refused(path, response)
                yield response
        except HTTPError as error:
            raise self._broken(path, error) from error
        except ValueError as error:
            raise self.failed(path, f"the answer is none of vLLM's: {error}") from error

    def _answer(
        self, method: str, url: str, body: dict[str, Any] | None
    ) -> urllib3.BaseHTTPResponse:
        """Return what is answered; a router that does not know the service yet is asked again."""
        retry = urllib3.Retry(
            self._retries, redirect=0, backoff_factor=0.5, respect_retry_after_header=False
        )
        options: dict[str, Any] = {"preload_content": False, "redirect": False, "retries": retry}
        for tried in range(self._retries + 1):
            found = self._pool.request(method, url, json=body, headers=self._headers, **options)
            if method != "GET" or found.status not in _NOT_YET or tried == self._retries:
                break
            found.close()  # urllib3 itself would read what it repeats, up to any end
            time.sleep(backoff(tried))
        return found

    def read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Return an answer's body: more than `answers.MOST` bytes is too much for its parser."""
        return small(response, answers.MOST, self._seconds).data

    def stream(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """Yield an answer's body as it comes."""
        return pace.whole(response, answers.MOST, self._seconds)

    def failed(self, path: str, why: str, remedy: str = _READ_LOG) -> DeployError:
        """Return the error about one request."""
        return DeployError(f"asking {self.base}{path}", line(why, _LONGEST), remedy)

    def _refused(self, path: str, response: urllib3.BaseHTTPResponse) -> DeployError:
        said = small(response, _REFUSAL, self._seconds).data.decode(errors="replace").strip()
        status = response.status
        why = f"HTTP {status}" + (f": {said}" if said else "")
        remedy = _REMEDIES.get(status, _READ_LOG)
        if status == 404 or (status == 400 and any(mark in said for mark in _NOT_OFFERED)):
            return _NotOfferedError(f"asking {self.base}{path}", line(why, _LONGEST), remedy)
        return self.failed(path, why, remedy)

    def _broken(self, path: str, error: HTTPError) -> DeployError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return self.failed(path, str(reason), "name its CA in MODELCAR_CA_BUNDLE")
        if isinstance(reason, pace.TooSlow):
            return self.failed(path, f"{reason}, in {self._seconds:g} s")
        return self.failed(path, str(reason), "check that the endpoint is reached from here")


def _context(ca_file: str) -> ssl.SSLContext:
    if not ca_file:
        return tls_context()
    context = ssl.create_default_context()
    for path in (*ca_files(), Path(ca_file)):
        context.load_verify_locations(cafile=path)
    return context


def _require_listed(server: _Server, model_name: str) -> None:
    path = "/v1/models"
    with server.asked("GET", path) as response:
        names = answers.models(server.read(response))
    if model_name not in names:
        why = f"it serves {_some(names)}, not {model_name}"
        remedy = "check that the serving runtime says --served-model-name={{.Name}}"
        raise server.failed(path, why, remedy)


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(line(name, _SHOWN) for name in names[:_NAMES]) or "nothing"
    return shown + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")


def _stream(server: _Server, path: str, question: dict[str, Any]) -> SmokeResult:
    began, words, tokens = time.monotonic(), list[tuple[float, str]](), 0
    with server.asked("POST", path, question) as response, _enough(words):
        for event in answers.events(server.stream(response)):
            if event.error:
                raise server.failed(path, event.error)
            if event.word is not None:
                words.append((time.monotonic(), event.word))
            tokens = event.tokens or tokens
    first = next((at for at, word in words if word), None)
    if first is None:
        raise server.failed(path, "the stream ended without a token")
    text = "".join(word for _, word in words)[:_TEXT]
    return SmokeResult(first - began, text, _rate(tokens, words[-1][0] - words[0][0]))


@contextmanager
def _enough(words: list[tuple[float, str]]) -> Iterator[None]:
    """Take a model that has said a word in time for one that answers, however slow it is."""
    try:
        yield
    except pace.TooSlow:
        if not any(word for _, word in words):
            raise


def _rate(tokens: int, seconds: float) -> float:
    return (tokens - 1) / seconds if tokens > 1 and seconds > _SHORTEST else 0.0


def _embed(server: _Server, question: dict[str, Any]) -> SmokeResult:
    path, began = "/v1/embeddings", time.monotonic()
    with server.asked("POST", path, question) as response:
        length = answers.dimensions(server.read(response))
    return SmokeResult(time.monotonic() - began, f"an embedding of {length} numbers")
