"""What the failures of a Model Registry mean."""

import pytest
from aiohttp import (
    ClientHttpProxyError,
    ClientPayloadError,
    RequestInfo,
    ServerDisconnectedError,
)
from mr_openapi.exceptions import ApiException
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from modelcar.errors import UsageError
from modelcar.model_registry import Connection
from modelcar.model_registry.failures import instance, may_pass, reason

SERVICE = "https://team.models.svc.cluster.local:8443"
ROUTE = "https://team-rest.apps.example.com"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (SERVICE, ("team", "models")),
        ("https://team.models.svc", ("team", "models")),
        (ROUTE, ("team", "rhoai-model-registries")),
        ("https://apps.example.com/model-registry/team", ("team", "rhoai-model-registries")),
        ("https://registry.example.com", ("NAME", "rhoai-model-registries")),
    ],
)
def test_an_address_tells_the_name_that_its_role_has(url: str, named: tuple[str, str]) -> None:
    assert instance(url) == named


def test_a_forbidden_account_is_told_which_role_to_bind() -> None:
    error = ApiException(status=403, body="Forbidden")

    why, remedy = reason(error, Connection(ROUTE))

    assert why == "the server answered 403 (Forbidden)"
    assert remedy.startswith("bind the Role registry-user-team of namespace rhoai-model-registries")
    assert "pipeline-runner-dspa" in remedy


@pytest.mark.parametrize("error", [TimeoutError(), TimeoutError("connecting")])
def test_a_service_that_is_closed_leads_to_the_route(error: Exception) -> None:
    _, remedy = reason(error, Connection(SERVICE))
    assert remedy.startswith("a NetworkPolicy closes this Service to other namespaces: give its R")

    _, remedy = reason(error, Connection(ROUTE))
    assert remedy == "check the address, the network and the proxy variables"


def test_a_token_that_cannot_be_sent_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="the Model Registry's token: it holds a line") as caught:
        Connection(ROUTE, "C4naryBird\nx")
    assert "C4naryBird" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "why", "remedy"),
    [
        (ServerDisconnectedError(), "the connection broke: Server disconnected", "look at the log"),
        (ClientPayloadError("cut"), "the connection broke: cut", "look at the log"),
        (ValueError("a\nb"), "its answer cannot be read: a b", "give the address of a Model Reg"),
        (KeyError(), "its answer cannot be read: KeyError", "give the address of a Model Regist"),
    ],
)
def test_what_stopped_a_call_is_said_on_one_line(error: Exception, why: str, remedy: str) -> None:
    told = reason(error, Connection(ROUTE, "C4naryBird"))
    assert told[0] == why
    assert told[1].startswith(remedy)


def test_a_proxys_refusal_is_not_the_servers() -> None:
    info = RequestInfo(URL(ROUTE), "CONNECT", CIMultiDictProxy(CIMultiDict()), URL(ROUTE))
    error = ClientHttpProxyError(info, (), status=403, message="Forbidden")

    why, remedy = reason(error, Connection(ROUTE))

    assert why.startswith("the proxy refused: 403, message='Forbidden'")
    assert remedy == "check HTTPS_PROXY, or name the host in NO_PROXY"
    assert not may_pass(error)
