"""Asking an endpoint whether it lists the model, and whether it answers.

A server may be healthy, list its model, and fail at the first completion: so one is asked for.
"""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
from urllib3.exceptions import HTTPError, ResponseError

from modelcar.connections import pool, proxy_for
from modelcar.errors import DeployError
from modelcar.trust import ca_files, tls_context

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
_NOT_OFFERED = ("does not support", "not supported", "chat template")
_REMEDIES = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        "a login page stands before the endpoint: set MODELCAR_ENDPOINT_TOKEN",
    ),
    401: "set MODELCAR_ENDPOINT_TOKEN, of an account that may `get` this InferenceService",
    403: "let the account `get` this InferenceService (the service's view Role)",
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
        self.base = base
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = pool(proxy_for(base), _context(ca_file), timeout=timeout)
        # Only a GET is repeated: urllib3 leaves POST alone.
        self._retries = urllib3.Retry(
            retries, redirect=0, backoff_factor=0.5, status_forcelist=(502, 503, 504)
        )

    @contextmanager
    def asked(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Yield the answer, its body unread; turn refusals and broken connections into ours."""
        try:
            response = self._pool.request(
                method,
                self.base + path,
                json=body,
                headers=self._headers,
                preload_content=False,
                redirect=False,
                retries=self._retries,
            )
            with response:
                if response.status != 200:
                    raise self._refused(path, response)
                yield response
        except HTTPError as error:
            raise self._broken(path, error) from error
        except ValueError as error:
            raise self.failed(path, f"the answer is not JSON ({error})") from error

    def failed(self, path: str, why: str, remedy: str = _READ_LOG) -> DeployError:
        """Return the error about one request."""
        return DeployError(f"asking {self.base}{path}", why, remedy)

    def _refused(self, path: str, response: urllib3.BaseHTTPResponse) -> DeployError:
        said = response.read(4096, decode_content=True).decode(errors="replace").strip()
        status = response.status
        why = f"HTTP {status}" + (f": {said[:500]}" if said else "")
        remedy = _REMEDIES.get(status, _READ_LOG)
        if status == 404 or (status == 400 and any(mark in said for mark in _NOT_OFFERED)):
            return _NotOfferedError(f"asking {self.base}{path}", why, remedy)
        return self.failed(path, why, remedy)

    def _broken(self, path: str, error: HTTPError) -> DeployError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return self.failed(path, str(reason), "name its CA in MODELCAR_CA_BUNDLE")
        if isinstance(reason, ResponseError):
            return self.failed(path, str(reason), "look at the Route and at the pod's log")
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
        answer = json.loads(response.read())
    names = [entry["id"] for entry in answer.get("data", ())]
    if model_name not in names:
        why = f"it serves {', '.join(names) or 'nothing'}, not {model_name}"
        remedy = "check that the serving runtime says --served-model-name={{.Name}}"
        raise server.failed(path, why, remedy)


def _stream(server: _Server, path: str, question: dict[str, Any]) -> SmokeResult:
    began, words, times, tokens = time.monotonic(), [], [], 0
    with server.asked("POST", path, question) as response:
        for event in _events(response):
            if "error" in event:
                raise server.failed(path, json.dumps(event["error"]))
            if event.get("choices"):  # a token without text is one too
                words.append(_word(event))
                times.append((time.monotonic(), words[-1] != ""))
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
    first = next((at for at, word in times if word), None)
    if first is None:
        raise server.failed(path, "the stream ended without a token")
    return SmokeResult(first - began, "".join(words), _rate(tokens, times[-1][0] - times[0][0]))


def _rate(tokens: int, seconds: float) -> float:
    return (tokens - 1) / seconds if tokens > 1 and seconds > _SHORTEST else 0.0


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[dict[str, Any]]:
    for line in response:
        kind, _, data = line.decode().strip().partition(":")
        if kind == "data" and data.strip() != "[DONE]":
            yield json.loads(data)


def _word(event: dict[str, Any]) -> str:
    for choice in event.get("choices", ()):
        delta = choice.get("delta", {})
        kinds = (delta.get(key) for key in ("content", "reasoning", "reasoning_content"))
        return str(choice.get("text") or next(filter(None, kinds), ""))
    return ""


def _embed(server: _Server, question: dict[str, Any]) -> SmokeResult:
    path, began = "/v1/embeddings", time.monotonic()
    with server.asked("POST", path, question) as response:
        answer = json.loads(response.read())
    if not answer.get("data"):
        raise server.failed(path, "the answer holds no embedding")
    length = len(answer["data"][0]["embedding"])
    return SmokeResult(time.monotonic() - began, f"an embedding of {length} numbers")
