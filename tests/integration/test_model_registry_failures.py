"""A Model Registry that stumbles, is slow, cannot be reached, or does not know who asks."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from modelcar import retries
from modelcar.errors import ModelRegistryError, UsageError
from modelcar.model_registry import Connection, Record, register
from tests.model_registry_runs import IMAGE, MODEL, OTHER, RECORD, one_of_each, registered
from tests.servers.loopback import Request, Response
from tests.servers.model_registry import ModelRegistryServer

AT_ONCE = {"Retry-After": "0"}
REQUESTS = [
    ("GET", "/registered_models"),
    ("GET", "/registered_model"),
    ("POST", "/registered_models"),
    ("POST", "/model_versions"),
    ("POST", "/artifacts"),
]


@pytest.fixture
def server() -> Iterator[ModelRegistryServer]:
    with ModelRegistryServer() as running:
        yield running


@pytest.mark.parametrize(("method", "ending"), REQUESTS, ids=[" ".join(x) for x in REQUESTS])
def test_a_request_that_stumbles_is_made_again(
    server: ModelRegistryServer, method: str, ending: str
) -> None:
    for status in (500, 503, 429):
        server.fail(ending, status, method=method, headers=AT_ONCE)

    assert registered(server).changed

    one_of_each(server)
    assert sorted(x.status for x in server.requests if x.status not in (200, 201, 404)) == [
        429,
        500,
        503,
    ]


def test_a_change_that_stumbles_is_made_again(server: ModelRegistryServer) -> None:
    registered(server)
    for ending in ("/model_versions/2", "/model_artifacts/3"):
        server.fail(ending, 503, method="PATCH", headers=AT_ONCE)

    assert registered(server, OTHER, move_version=True).changed

    _, version, artifact = one_of_each(server)
    assert artifact["uri"] == f"oci://{OTHER}"
    assert version["customProperties"]["previous_uri"]["string_value"] == f"oci://{IMAGE}"


def test_the_server_says_when_it_wants_to_be_asked_again(server: ModelRegistryServer) -> None:
    server.fail("/registered_model", 429, headers={"Retry-After": "2"})
    began = time.monotonic()

    registered(server)

    assert time.monotonic() - began >= 2.0


def test_a_server_that_stays_out_of_order_is_given_up(server: ModelRegistryServer) -> None:
    server.fail("/registered_model", 503, times=99, headers=AT_ONCE)

    with pytest.raises(ModelRegistryError, match=r"answered 503 \(out of order\); look at the log"):
        registered(server)

    tries = [seen for seen in server.requests if "/registered_model?" in seen.target]
    assert len(tries) == retries.ATTEMPTS


def test_what_cannot_pass_is_not_tried_again(server: ModelRegistryServer) -> None:
    server.fail("/registered_models", 400, method="POST", times=99)

    with pytest.raises(ModelRegistryError, match="answered 400"):
        registered(server)

    assert len(server.writes) == 1


class Forgetful(ModelRegistryServer):
    """Carries each creation out, and hangs up the first time instead of saying so."""

    def __init__(self) -> None:
        super().__init__()
        self._lost: set[str] = set()

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if request.method == "POST" and request.path not in self._lost:
            self._lost.add(request.path)
            raise ConnectionResetError
        return response


def test_an_answer_that_is_lost_makes_no_second_one() -> None:
    with Forgetful() as server:
        found = registered(server)
        model, version, artifact = one_of_each(server)

    assert (model["id"], version["id"], artifact["id"]) == (
        found.registered_model_id,
        found.version_id,
        found.artifact_id,
    )


def test_a_slow_server_is_waited_for() -> None:
    with ModelRegistryServer(delay=0.2) as server:
        assert registered(server).changed


def test_a_server_that_is_too_slow_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSE", 0.001)
    with ModelRegistryServer(delay=1.0) as server:
        connection = Connection(server.url, timeout=0.3)
        with pytest.raises(ModelRegistryError, match=r"no answer within 0\.3 s; check the address"):
            register(connection, MODEL, IMAGE, RECORD)

    assert len(server.requests) == retries.ATTEMPTS


def test_an_address_that_swallows_everything_is_given_up_soon() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # fill its queue: further ones are not answered at all
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        connection = Connection(f"http://127.0.0.1:{full.getsockname()[1]}", timeout=3.0)

        with pytest.raises(ModelRegistryError, match="cannot be reached"):
            register(connection, MODEL, IMAGE, RECORD)


def test_texts_of_any_script_and_length_are_taken(server: ModelRegistryServer) -> None:
    card = "# 模型 🚗\n" + "Ein langer Satz über Züge. \N{SNOWMAN}\n" * 5000
    labels = ("中文", "übersetzung", "x" * 300)
    record = Record({"license": "许可证", "notes": "n" * 9000}, labels, card=card)

    assert registered(server, record=record).changed

    model, version, _ = one_of_each(server)
    assert model["description"] == version["description"]
    assert card.startswith(version["description"].removesuffix("\n…"))
    assert 2000 < len(version["description"].encode()) <= 2500
    held = version["customProperties"]
    assert held["license"]["string_value"] == "许可证"
    assert len(held["notes"]["string_value"]) < 2500
    assert held["中文"]["string_value"] == held["übersetzung"]["string_value"] == ""
    assert {"license", "notes", "中文", "übersetzung"} == held.keys()
    assert not registered(server, record=record).changed


@pytest.mark.parametrize("name", ["x" * 300, "a\nb", "模型"])
def test_a_name_that_the_server_would_not_find_is_refused_before_any_request(
    server: ModelRegistryServer, name: str
) -> None:
    for wrong in (replace(MODEL, name=name), replace(MODEL, version=name)):
        with pytest.raises(UsageError, match=r"in the Model Registry: it has .*; use 1 to 240"):
            register(Connection(server.url), wrong, IMAGE, RECORD)
    assert server.requests == []


MODELCAR = str(Path(sys.executable).parent / "modelcar")
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: 'https://api.example:6443'}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: C4naryBird-kubeconfig}}]
"""


@pytest.mark.parametrize(
    ("variables", "token"),
    [
        ({}, "C4naryBird-kubeconfig"),
        ({"MODEL_REGISTRY_TOKEN": "C4naryBird-own"}, "C4naryBird-own"),
    ],
)
def test_the_token_is_the_users_own(tmp_path: Path, variables: dict[str, str], token: str) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    given = {"KUBECONFIG": str(tmp_path / "kubeconfig"), **variables}
    with ModelRegistryServer(token=token) as server:
        argv = [MODELCAR, "versions", "none", "--model-registry", server.url]
        done = subprocess.run(argv, env={**os.environ, **given}, capture_output=True, text=True)

    assert "there is no such model" in done.stderr
    assert token not in done.stderr
