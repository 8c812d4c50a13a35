"""Registering while the process dies at any request, or while another does the same."""

import threading
from collections.abc import Callable
from functools import partial
from subprocess import Popen

import pytest

from modelcar.errors import DriftError
from tests.model_registry_runs import (
    COMMIT,
    IMAGE,
    OTHER,
    elsewhere,
    one_of_each,
    properties,
    registered,
)
from tests.servers.loopback import Request, Response
from tests.servers.model_registry import ModelRegistryServer


class DeadlyServer(ModelRegistryServer):
    """Kills a client at one of its requests, before or after that is carried out."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self._after, self._at, self._count = after, 0, 0
        self._arming = threading.Lock()
        self._victim: Popen[bytes] | None = None

    def kill(self, begin: Callable[[], Popen[bytes]], at: int) -> bool:
        """Begin a client, and let it live until its request `at`; return whether it came there."""
        with self._arming:
            victim = self._victim = begin()
            self._at, self._count = at, 0
        _, said = victim.communicate()
        self._victim = None
        assert victim.returncode in (0, -9), said
        return victim.returncode == -9

    def answer(self, request: Request) -> Response:
        with self._arming:
            self._count += 1
            victim = self._victim if self._count == self._at else None
        if victim is None:
            return super().answer(request)
        response = super().answer(request) if self._after else Response(503)
        victim.kill()
        return response


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moving", [False, True], ids=["first", "moving"])
def test_whatever_request_a_run_dies_at_the_next_one_repairs_it(moving: bool, after: bool) -> None:
    image, digit = (OTHER, "b") if moving else (IMAGE, "a")
    killed, at = True, 0
    while killed:
        at += 1
        with DeadlyServer(after=after) as server:
            before = registered(server).uri if moving else ""
            begin = partial(elsewhere, server, digit, moving)
            killed = server.kill(begin, at)
            found = registered(server, image, move_version=moving)
            model, version, artifact = one_of_each(server)
            assert artifact["uri"] == found.uri == f"oci://{image}"
            assert model["description"] == "A small model."
            told = properties(version)
            assert told.get("previous_uri", "") == before
            assert told["commit"] == COMMIT
            assert not registered(server, image).changed
    # Two for the version of the API, then those of model, version and artifact.
    assert at == (11 if moving else 7)


class MeetingServer(ModelRegistryServer):
    """Lets the creations of one kind begin only when two clients ask for it."""

    def __init__(self, ending: str) -> None:
        super().__init__(("v1", "v1alpha3"))
        self._ending, self._meeting, self._met = ending, threading.Barrier(2, timeout=60), 0

    def answer(self, request: Request) -> Response:
        if request.method == "POST" and request.path.endswith(self._ending) and self._met < 2:
            self._met += 1
            self._meeting.wait()
        return super().answer(request)


def test_a_move_that_died_half_way_can_be_taken_back() -> None:
    with DeadlyServer(after=True) as server:
        first = registered(server)
        assert server.kill(partial(elsewhere, server, "b", True), at=7)
        with pytest.raises(DriftError, match=r"\(commit cccccccccccc there, bbbbbbbbbbbb here\)"):
            registered(server, OTHER, properties={"commit": "b" * 40})
        assert registered(server).uri == first.uri
        _, version, artifact = one_of_each(server)

    assert artifact["uri"] == first.uri
    assert "previous_uri" not in properties(version)


@pytest.mark.parametrize("ending", ["/registered_models", "/model_versions", "/artifacts"])
def test_two_runs_at_once_end_in_one_of_each(ending: str) -> None:
    with MeetingServer(ending) as server:
        runs = [elsewhere(server) for _ in range(2)]
        said = [run.communicate()[1] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], said
        _, version, artifact = one_of_each(server)
        # At another path the two may meet by chance as well.
        targets = [seen.target.partition("?")[0] for seen in server.requests if seen.status == 409]
        conflicts = [target for target in targets if target.endswith(ending)]

    assert len(conflicts) == 1
    assert artifact["uri"] == f"oci://{IMAGE}"
    assert properties(version) == {"commit": "a" * 40, "chat": ""}


def test_of_two_runs_at_once_with_two_digests_one_is_refused() -> None:
    with MeetingServer("/artifacts") as server:
        runs = [elsewhere(server, digit) for digit in "ab"]
        said = [run.communicate()[1].decode() for run in runs]
        _, version, artifact = one_of_each(server)

    assert sorted(run.returncode for run in runs) == [0, 1]
    assert sum("DriftError" in text for text in said) == 1
    winner = artifact["uri"][-1]
    assert artifact["uri"].endswith(f"@sha256:{winner * 64}")
    assert properties(version)["commit"] == winner * 40


class Late(ModelRegistryServer):
    """Lets another client register its image while the first is about to make the artifact."""

    def __init__(self) -> None:
        super().__init__()
        self._met = False

    def answer(self, request: Request) -> Response:
        if request.method == "POST" and request.path.endswith("/artifacts") and not self._met:
            self._met = True
            other = elsewhere(self, "b")
            _, said = other.communicate()
            assert other.returncode == 0, said
        return super().answer(request)


def test_who_sets_the_uri_also_says_what_the_image_is() -> None:
    with Late() as server:
        first = elsewhere(server, "a")
        _, said = first.communicate()
        _, version, artifact = one_of_each(server)

    assert first.returncode == 1
    assert b"DriftError" in said
    assert artifact["uri"] == f"oci://{OTHER}"
    assert properties(version) == {"commit": "b" * 40, "chat": ""}


class Busy(ModelRegistryServer):
    """Sets a property of its own whenever an artifact has been written."""

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if request.method == "PATCH" and "/model_artifacts/" in request.path:
            (version,) = self.store.all("version")
            theirs = {"team": {"metadataType": "MetadataStringValue", "string_value": "blue"}}
            fields = {"customProperties": {**version["customProperties"], **theirs}}
            self.store.patch("version", version["id"], fields)
        return response


def test_a_property_that_someone_sets_meanwhile_stays() -> None:
    with Busy() as server:
        registered(server)
        registered(server, OTHER, move_version=True, properties={"license": "mit"})
        _, version, _ = one_of_each(server)

    assert properties(version)["team"] == "blue"
    assert properties(version)["license"] == "mit"
