"""The smoke test against the real vLLM, where there is one: see `tests/servers/real_vllm.py`."""

import socket
from pathlib import Path

import pytest

from modelcar.errors import DeployError
from modelcar.serving.smoke import smoke
from tests.servers.real_vllm import python, real_vllm

pytestmark = pytest.mark.skipif(
    not python(), reason="vllm is not importable, and VLLM_PYTHON names no Python that has it"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def test_a_model_answers_with_its_times(tmp_path: Path) -> None:
    with real_vllm(tmp_path, "tiny", heads=2, port=free_port()) as url:
        result = smoke(url, "tiny")
        with pytest.raises(DeployError, match="it serves tiny, not other"):
            smoke(url, "other")

    assert len(result.text.split()) > 1
    assert 0 < result.seconds_to_first_token < 60
    assert 0 < result.tokens_per_second < 100_000


def test_a_server_that_is_healthy_and_cannot_answer_fails(tmp_path: Path) -> None:
    with (
        real_vllm(tmp_path, "tiny", heads=8, port=free_port()) as url,
        pytest.raises(DeployError, match=r"/v1/completions: .*EngineCore"),
    ):
        smoke(url, "tiny")
