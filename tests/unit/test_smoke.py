import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from modelcar.errors import DeployError
from modelcar.serving.smoke import smoke
from tests.servers.vllm import CHAT, COMPLETIONS, EMBEDDINGS, VllmServer, events

PAUSE = 0.3


@pytest.fixture
def vllm() -> Iterator[VllmServer]:
    with VllmServer("mistral") as server:
        yield server


def test_the_completion_comes_back_with_its_time(vllm: VllmServer) -> None:
    result = smoke(vllm.url, "mistral")

    assert result.text == "Hi there!"
    assert 0 < result.seconds_to_first_token < 10
    assert [seen.target for seen in vllm.requests] == ["/v1/models", COMPLETIONS]


@pytest.mark.parametrize("not_offered", [400, 404])
def test_a_model_without_plain_completions_chats(not_offered: int) -> None:
    with VllmServer("mistral", tasks=(CHAT,), not_offered=not_offered) as server:
        assert smoke(server.url, "mistral").text == "Hi there!"


@pytest.mark.parametrize("not_offered", [400, 404])
def test_an_embedding_model_embeds(not_offered: int) -> None:
    with VllmServer("minilm", tasks=(EMBEDDINGS,), not_offered=not_offered) as server:
        assert smoke(server.url, "minilm").text == "an embedding of 384 numbers"


def test_a_server_that_offers_nothing_is_told(vllm: VllmServer) -> None:
    vllm.tasks = ()

    with pytest.raises(DeployError, match=r"/v1/embeddings: HTTP 404.*serving runtime"):
        smoke(vllm.url, "mistral")


def test_another_model_is_told(vllm: VllmServer) -> None:
    with pytest.raises(DeployError, match=r"/v1/models: it serves mistral, not llama; .*runtime"):
        smoke(vllm.url, "llama")


def test_a_server_that_is_healthy_yet_fails_at_a_completion_is_told(vllm: VllmServer) -> None:
    vllm.fail(COMPLETIONS, 500)

    with pytest.raises(DeployError, match=r"/v1/completions: HTTP 500: out of order; read the log"):
        smoke(vllm.url, "mistral")


def test_a_bad_request_is_no_reason_to_chat(vllm: VllmServer) -> None:
    vllm.fail(COMPLETIONS, 400)

    with pytest.raises(DeployError, match=r"/v1/completions: HTTP 400"):
        smoke(vllm.url, "mistral")


def test_a_stream_without_a_token_is_told(vllm: VllmServer) -> None:
    vllm.words = ()

    with pytest.raises(DeployError, match="the stream ended without a token"):
        smoke(vllm.url, "mistral")


def test_a_router_that_does_not_know_the_service_yet_is_asked_again(vllm: VllmServer) -> None:
    vllm.fail("/v1/models", 503, times=2)

    assert smoke(vllm.url, "mistral").text == "Hi there!"
    assert [seen.status for seen in vllm.requests] == [503, 503, 200, 200]


def test_a_router_that_never_knows_it_is_told(vllm: VllmServer) -> None:
    vllm.fail("/v1/models", 503, times=9)

    with pytest.raises(DeployError, match=r"/v1/models: HTTP 503: out of order; look at"):
        smoke(vllm.url, "mistral", retries=1)


def test_the_token_is_shown_and_its_absence_told() -> None:
    with VllmServer("mistral", token="C4naryBird") as server:
        assert smoke(server.url, "mistral", token="C4naryBird").text == "Hi there!"
        with pytest.raises(DeployError, match=r"HTTP 401.*set MODELCAR_END") as caught:
            smoke(server.url, "mistral", token="C4naryBird-wrong")

    assert "C4naryBird-wrong" not in str(caught.value)


def test_a_login_page_is_not_followed(vllm: VllmServer) -> None:
    vllm.fail("/v1/models", 302, headers={"Location": f"{vllm.url}/login"})

    with pytest.raises(DeployError, match="a login page stands before the endpoint"):
        smoke(vllm.url, "mistral", token="C4naryBird")
    assert len(vllm.requests) == 1


def test_an_endpoint_that_is_not_there_is_told(vllm: VllmServer) -> None:
    gone = vllm.url.rsplit(":", 1)[0] + ":1"

    with pytest.raises(DeployError, match=r"/v1/models: .*; check that the endpoint is reached"):
        smoke(gone, "mistral", retries=0)


def test_a_page_that_is_not_json_is_told() -> None:
    with (
        Slow([b"<html>"]) as url,
        pytest.raises(DeployError, match="the answer is none of vLLM's: it is not JSON"),
    ):
        smoke(url, "mistral")


def test_the_first_token_is_timed_when_it_comes() -> None:
    chunks = [event.encode() for event in events(COMPLETIONS, ("Hi", "!"))]

    with Slow([b'{"data": [{"id": "mistral"}]}'], chunks) as url:
        began = time.monotonic()
        result = smoke(url, "mistral")
        took = time.monotonic() - began

    assert result.text == "Hi!"
    assert took - result.seconds_to_first_token > PAUSE / 2
    # One more token came, when the pause between the chunks was over.
    assert 0 < result.tokens_per_second < 2 / PAUSE


def test_a_rate_needs_a_second_token(vllm: VllmServer) -> None:
    vllm.words = ("Hi",)
    assert smoke(vllm.url, "mistral").tokens_per_second == 0


@pytest.mark.parametrize("key", ["content", "reasoning", "reasoning_content"])
def test_what_a_model_thinks_aloud_is_an_answer(key: str) -> None:
    delta = {"choices": [{"delta": {"content": None, key: "Hm"}}]}
    models, events = b'{"data": [{"id": "mistral"}]}', f"data: {json.dumps(delta)}\n\n".encode()
    with Slow([models], [events]) as url:
        assert smoke(url, "mistral").text == "Hm"


class Slow:
    """Answers each request with the next list of chunks, and pauses between the chunks."""

    def __init__(self, *answers: list[bytes]) -> None:
        self._answers = iter(answers)

    def __enter__(self) -> str:
        answers = self._answers

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.send_header("Connection", "close")
                self.end_headers()
                for index, chunk in enumerate(next(answers)):
                    time.sleep(PAUSE if index else 0)
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
