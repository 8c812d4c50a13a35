"""A pipelines server that refuses, is not trusted or does not answer: each has its own remedy."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.byte_path import refused
from tests.pipelines_place import HOST, TOKEN, PipelinesPlace, pipelines_place
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response


class Page(LoopbackServer):
    """A server of another kind, which answers everything with a page."""

    def answer(self, request: Request) -> Response:
        return Response(200, {"Content-Type": "text/html"}, Bytes(b"<html>Log in</html>"))


class Login(LoopbackServer):
    """A proxy that sends who has no session to a page to log in."""

    def answer(self, request: Request) -> Response:
        return Response(302, {"Location": "https://login.example/oauth"})


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[PipelinesPlace]:
    with pipelines_place(tmp_path) as found:
        yield found


def test_a_token_that_counts_no_more_is_to_be_fetched_anew(pipelines: PipelinesPlace) -> None:
    pipelines.server.tokens = set()
    refused(pipelines.submit(), "HTTP 401", "log in again (`oc login`)")


def test_without_any_token_it_is_the_same(pipelines: PipelinesPlace) -> None:
    nowhere = str(pipelines.folder / "absent")
    done = pipelines.submit(KUBECONFIG=nowhere)
    refused(done, "HTTP 401", "log in again (`oc login`)")
    assert not any(seen.authorized for seen in pipelines.server.requests)


def test_who_has_no_right_is_told_which_role_to_ask_for(pipelines: PipelinesPlace) -> None:
    pipelines.server.forbidden = {TOKEN}
    refused(pipelines.submit(), "HTTP 403", "the Role ds-pipeline-user-access-NAME, or edit")


def test_a_certificate_of_an_unknown_ca_is_not_trusted(
    pipelines: PipelinesPlace, tmp_path: Path
) -> None:
    done = pipelines.submit(MODELCAR_CA_BUNDLE="")
    why = "its certificate is signed by no CA that is trusted here"
    refused(done, why, "name a file with its CA in MODELCAR_CA_BUNDLE")
    assert pipelines.server.requests == [], "no token was sent"


def test_a_certificate_of_another_host_is_told_apart(pipelines: PipelinesPlace) -> None:
    port = pipelines.server.url.rpartition(":")[2]
    done = pipelines.submit("--endpoint", f"https://localhost:{port}")
    refused(done, "its certificate is another host's", "name it by the host of its Route")
    assert pipelines.server.requests == [], "no token was sent"


def test_a_server_that_does_not_answer_is_told_apart(pipelines: PipelinesPlace) -> None:
    done = pipelines.submit("--endpoint", "https://127.0.0.1:1")
    refused(done, "the pipelines server does not answer", "oc get pods -l component=")


def test_a_page_is_not_taken_for_an_empty_list(pipelines: PipelinesPlace) -> None:
    with Page() as other:
        done = pipelines.submit("--endpoint", other.url)
    refused(done, "what answers there is no pipelines server", "the Route ds-pipeline-NAME")


def test_a_way_to_a_login_page_is_not_followed(pipelines: PipelinesPlace) -> None:
    with Login() as other:
        done = pipelines.submit("--endpoint", other.url)
    refused(done, "it asks to log in", "log in again (`oc login`)")


def test_the_router_without_a_pod_behind_it_is_told(pipelines: PipelinesPlace) -> None:
    page = b"<html>" + b"Application is not available" * 100
    pipelines.server.fail("/pipelines", 503, times=5, body=page)
    line = refused(pipelines.submit(), "HTTP 503", "look at its pods")
    assert "<html>" not in line


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://pipelines.example", "plain HTTP would show the token to the network"),
        ("https://me:C4naryBird@pipelines.example", "it holds a user, a password or a query"),
        ("https://", "it is not a URL"),
        ("https://[", "it is not a URL"),
        ("ftp://pipelines.example", "it is not a URL"),
    ],
)
def test_an_address_that_is_none_is_refused(
    pipelines: PipelinesPlace, endpoint: str, why: str
) -> None:
    line = refused(pipelines.submit("--endpoint", endpoint), why, code=2)
    assert "C4naryBird" not in line


def test_the_servers_name_is_reached_by_the_proxy(pipelines: PipelinesPlace) -> None:
    port = pipelines.server.url.rpartition(":")[2]
    with ForwardProxy() as proxy:
        through = dict.fromkeys(
            ("HTTPS_PROXY", "https_proxy"), f"http://me:C4naryBird@{proxy.host}"
        )
        given = {"no_proxy": "", "NO_PROXY": "", **through}
        done = pipelines.submit("--endpoint", f"https://{HOST}:{port}", **given)
    assert done.returncode == 0, done.stderr
    assert set(proxy.asked) == {f"CONNECT {HOST}:{port}"}
    assert set(proxy.credentials) == {"Basic bWU6QzRuYXJ5QmlyZA=="}
    assert "C4naryBird" not in done.stdout + done.stderr


def test_a_proxy_that_lets_nothing_pass_is_told_apart(pipelines: PipelinesPlace) -> None:
    with Page() as proxy:  # it knows no CONNECT
        through = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy.url)
        given = {"no_proxy": "", "NO_PROXY": "", **through}
        done = pipelines.submit("--endpoint", f"https://{HOST}", **given)
    refused(done, "the proxy does not let it pass", "NO_PROXY")


def test_without_kfp_it_says_what_to_install(
    pipelines: PipelinesPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kfp_server_api", None)
    line = refused(pipelines.submit(), code=2)
    assert line == (
        "modelcar: the pipelines server: kfp is not installed; "
        "run `pip install '.[dsp]'` in the clone, or `make setup`"
    )


def test_what_a_run_needs_is_checked_before_anything_is_uploaded(
    pipelines: PipelinesPlace,
) -> None:
    given = ("tiny.yaml", "--pipeline", str(pipelines.pipeline))
    done = pipelines.run("submit", *given, HF_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode == 1
    assert pipelines.server.writes == []
    failed = [line for line in done.stderr.splitlines() if "failed  source: " in line]
    assert len(failed) == 1
    assert any("preflight: ok      ca: " in line for line in done.stderr.splitlines())
