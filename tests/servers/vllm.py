"""What vLLM's OpenAI server answers, as far as a smoke test asks."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tests.servers.loopback import Bytes, LoopbackServer, Request, Response

WORDS = ("Hi", " there", "!")
COMPLETIONS, CHAT, EMBEDDINGS = "/v1/completions", "/v1/chat/completions", "/v1/embeddings"


class VllmServer(LoopbackServer):
    """Serve `models` with `tasks`; a `token` is asked of every request when there is one.

    A task that is not offered answers 404 as an unknown route does, or 400 as older releases do.
    """

    def __init__(
        self,
        *models: str,
        tasks: Collection[str] = (COMPLETIONS, CHAT),
        not_offered: int = 404,
        token: str = "",
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__(tls=tls)
        self.models = list(models)
        self.tasks = tasks
        self.not_offered = not_offered
        self.token = token
        self.words: tuple[str, ...] = WORDS

    def answer(self, request: Request) -> Response:
        if self.token and request.token != self.token:
            return Response.json({"error": "Unauthorized"}, 401)
        if request.path == "/v1/models":
            return Response.json({"object": "list", "data": [{"id": m} for m in self.models]})
        if request.path not in self.tasks:
            message = f"The model does not support {request.path}"
            return Response.json({"error": {"message": message}}, self.not_offered)
        return self._task(request.path, json.loads(request.body))

    def _task(self, path: str, asked: dict[str, Any]) -> Response:
        if asked["model"] not in self.models:
            return Response.json({"error": {"message": "no such model"}}, 404)
        if path == EMBEDDINGS:
            return Response.json({"data": [{"embedding": [0.5] * 384}]})
        if not asked.get("stream"):
            return Response.json(_whole(path, "".join(self.words)))
        assert asked["stream_options"] == {"include_usage": True}
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        return Response(200, headers, Bytes("".join(events(path, self.words)).encode()))


def events(path: str, words: Collection[str]) -> Iterator[str]:
    """Yield the server-sent events of one answer."""
    if path == CHAT:
        yield _event({"delta": {"role": "assistant", "content": ""}})
    for word in words:
        yield _event({"delta": {"content": word}} if path == CHAT else {"text": word})
    usage = {"prompt_tokens": 1, "completion_tokens": len(words), "total_tokens": len(words) + 1}
    yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


def _whole(path: str, text: str) -> dict[str, Any]:
    """Return an answer to a request that does not ask for a stream."""
    answer = {"message": {"role": "assistant", "content": text}} if path == CHAT else {"text": text}
    return {"choices": [{"index": 0, **answer, "finish_reason": "stop"}]}


def _event(choice: dict[str, Any]) -> str:
    return f"data: {json.dumps({'choices': [{'index': 0, **choice}]})}\n\n"
