"""Which images a Model Registry names: in its artifacts' URIs, and in any property."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from modelcar import mentions
from modelcar.errors import ModelRegistryError
from modelcar.mentions import Mention
from modelcar.model_registry import connection as server
from modelcar.model_registry.connection import Connection

_Call = Callable[..., Awaitable[Any]]
_PAGE = "100"


def holdings(connection: Connection) -> tuple[Mention, ...]:
    """Return what every model, version and model artifact names, archived ones too.

    Texts of any field count, such as the versions' properties `mirror` and `previous_uri`.
    Raises ModelRegistryError.
    """
    try:
        return asyncio.run(_holdings(connection))
    except server.client_errors() as error:
        what = f"listing what the model registry at {connection.url} names"
        raise ModelRegistryError(what, *server.reason(error, connection)) from error


async def _holdings(connection: Connection) -> tuple[Mention, ...]:
    from mr_openapi import ModelRegistryServiceApi

    async with server.open_client(connection) as client:
        api = ModelRegistryServiceApi(client)
        kinds: dict[str, _Call] = {
            "registered model": api.get_registered_models_without_preload_content,
            "model version": api.get_model_versions_without_preload_content,
            "model artifact": api.get_model_artifacts_without_preload_content,
        }
        found = [mention for kind in kinds.items() for mention in await _of_kind(*kind)]
    return tuple(found)


async def _of_kind(kind: str, call: _Call) -> list[Mention]:
    return [
        mentions.find(
            f"{kind} {item.get('name')} (id {item.get('id')}) in the Model Registry", item
        )
        for item in await _all(call)
    ]


async def _all(call: _Call) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    token, seen = "", set[str]()
    while token not in seen:
        seen.add(token)
        async with asyncio.timeout(server.TIMEOUT):
            page = await _page(call, token)
        items += page.get("items") or []
        token = page.get("nextPageToken") or ""
        if not token:
            return items
    raise ValueError(f"its pages lead back to {token!r}")


async def _page(call: _Call, token: str) -> dict[str, Any]:
    """Return the plain JSON: the client's own types refuse values that a newer server has."""
    from mr_openapi import OrderByField
    from mr_openapi.exceptions import ApiException

    more = {"next_page_token": token} if token else {}
    response = await call(page_size=_PAGE, order_by=OrderByField.ID, **more)
    body = await response.text()
    if response.status != 200:
        raise ApiException(status=response.status, reason=response.reason, body=body)
    page = json.loads(body)
    if not isinstance(page, dict):
        raise ValueError("it is no JSON object")
    return page
