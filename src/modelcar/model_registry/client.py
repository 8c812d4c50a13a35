"""The API of a Model Registry, in whichever version the server has: the one place that knows.

Wheels of `model-registry` up to 0.3.11 and 0.3.14 ask for `/v1alpha3`, 0.3.12 and those from
0.3.15 on for `/v1`, and none asks for both. Servers of OpenShift AI have `/v1alpha3`; newer ones
have `/v1` too, with the same resources, and call the old path deprecated. So the generated client
of 0.3.14, which installs beside kfp, is sent to the version that is found.

Of that package only `mr_openapi` is used: importing `model_registry` sets up logging for the whole
process, and its updates send every field, which un-archives what a person archived and turns
properties of types it does not know into text.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

from aiohttp import ClientSession, ClientTimeout, TCPConnector, TraceConfig
from mr_openapi import ApiClient, Configuration, ModelRegistryServiceApi
from mr_openapi.exceptions import ApiException, NotFoundException

from modelcar import connections, safe_json, trust
from modelcar.errors import UsageError
from modelcar.model_registry.connection import Connection

Call = Callable[..., Awaitable[Any]]
VERSIONS: Final = ("v1", "v1alpha3")
_MOST: Final = 32 << 20
"""Bytes of an answer; a page has a hundred items."""
_TOLD: Final = 1 << 16
"""Bytes that are read of a refusal; what it says is shown on one line."""
_PAGES: Final = 1000
_GENERATED: Final = "v1alpha3"


class Client(ApiClient):  # type: ignore[misc]  # the package has no types
    """The generated client, an asynchronous context manager; sends what is asked to `version`."""

    def __init__(self, connection: Connection) -> None:
        settings = Configuration(host=connection.url, access_token=connection.token or None)
        super().__init__(settings)
        self.version = VERSIONS[0]
        reach = min(connections.REACH, connection.timeout / 2)
        self._timeout = ClientTimeout(total=connection.timeout, connect=reach)
        named = [Path(connection.ca_file)] if connection.ca_file else []
        for path in (*trust.ca_files(), *named):
            self._trust(path)
        # As the generated client makes it, but that no answer of another host is believed.
        told = TraceConfig()
        told.on_request_redirect.append(_refuse)
        ours = TCPConnector(ssl=self.rest_client.ssl_context)
        session = ClientSession(connector=ours, trust_env=True, trace_configs=[told])
        self.rest_client.pool_manager = session

    def param_serialize(self, method: str, resource_path: str, **more: Any) -> Any:
        """Ask for the version that the server has."""
        path = resource_path.replace(f"/{_GENERATED}/", f"/{self.version}/", 1)
        return super().param_serialize(method, path, **more)

    async def call_api(self, *request: Any, **more: Any) -> Any:
        """Hold each request to the connection's timeout, and its answer to a size.

        The generated client would wait for five minutes, and read an answer without end.
        """
        answer = await super().call_api(*request, **{**more, "_request_timeout": self._timeout})
        answer.data = await _body(answer.response)
        answer.headers = answer.response.headers
        answer.response = answer
        return answer

    def response_deserialize(self, response_data: Any, *more: Any, **types: Any) -> Any:
        """Say of what the generated types stumble over that it cannot be read."""
        try:
            if response_data.status < 300:
                safe_json.parse(response_data.data)
            return super().response_deserialize(response_data, *more, **types)
        except (AttributeError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"it is not as published: {error}") from error

    async def api(self) -> ModelRegistryServiceApi:
        """Return the service in the version that is there; raise NotFoundException for none."""
        service = ModelRegistryServiceApi(self)
        for self.version in VERSIONS:
            try:
                await page(service.get_registered_models_without_preload_content, page_size="1")
                return service
            except NotFoundException:
                if self.version == VERSIONS[-1]:
                    raise
        raise AssertionError("there is a last version")

    def _trust(self, path: Path) -> None:
        try:
            self.rest_client.ssl_context.load_verify_locations(cafile=path)
        except OSError as error:  # ssl's own errors are among them
            remedy = "name a file of certificates in PEM"
            raise UsageError(f"CA file {path}", str(error), remedy) from error


async def _refuse(session: Any, context: Any, redirect: Any) -> None:
    response = redirect.response
    raise ApiException(status=response.status, reason=response.reason)


async def page(call: Call, *key: str, **query: Any) -> dict[str, Any]:
    """Return one page of a list as plain JSON: the client's types refuse what they do not know."""
    response = await call(*key, **query)
    if response.status != 200:
        kind = NotFoundException if response.status == 404 else ApiException
        body = response.data.decode(errors="replace")
        failure = kind(status=response.status, reason=response.reason, body=body)
        failure.headers = response.getheaders()
        raise failure
    found = safe_json.parse(response.data)
    if not all(isinstance(item, dict) for item in (found, *_items(found))):
        raise ValueError("it is no JSON object")
    return cast(dict[str, Any], found)


async def _body(response: Any) -> bytes:
    """Return what is answered, an error's perhaps not to its end; raise ValueError for too much."""
    data, good = bytearray(), response.status < 300
    async for block in response.content.iter_chunked(1 << 16):
        data += block
        if len(data) > (_MOST if good else _TOLD):
            response.close()
            if good:
                raise ValueError(f"it has more than {_MOST} bytes")
            break
    return bytes(data)


def _items(found: Any) -> list[dict[str, Any]]:
    items = (found.get("items") if isinstance(found, dict) else None) or []
    if not isinstance(items, list):
        raise ValueError("its items are no list")
    return items


async def pages(call: Call, *key: str, **query: Any) -> list[dict[str, Any]]:
    """Return every item of a list, page by page; raise ValueError for one without an id."""
    items: list[dict[str, Any]] = []
    token, seen = "", set[str]()
    while not seen or token:
        if token in seen:
            raise ValueError(f"its pages lead back to {token!r}")
        seen.add(token)
        more = {"next_page_token": token} if token else {}
        found = await page(call, *key, page_size="100", **query, **more)
        items += _items(found)
        token = found.get("nextPageToken") or ""
        if not isinstance(token, str) or len(seen) > _PAGES:
            raise ValueError("its pages have no end")
    if not all(isinstance(item.get("id"), str) for item in items):
        raise ValueError("it has an item without an id")
    return items
