"""What the failures of a Model Registry mean."""

import pytest
from mr_openapi.exceptions import ApiException

from modelcar.errors import UsageError
from modelcar.model_registry import Connection
from modelcar.model_registry.failures import instance, reason

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
    with pytest.raises(UsageError, match="the model registry's token: it holds a line") as caught:
        Connection(ROUTE, "s3cret\nx")
    assert "s3cret" not in str(caught.value)
