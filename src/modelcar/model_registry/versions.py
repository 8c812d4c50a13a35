"""The versions of one model: what each names, since when, by which run, and where it is served."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from modelcar.errors import ModelRegistryError
from modelcar.model_registry.artifacts import artifact_of
from modelcar.model_registry.asking import ask
from modelcar.model_registry.connection import Connection
from modelcar.model_registry.converge import digest
from modelcar.values import Digest, ImageDigest, Model, ModelVersion

if TYPE_CHECKING:
    from modelcar.model_registry.client import Call

_AT_ONCE: Final = 8
"""Requests; each version's artifacts are a list of their own."""
NAMED: Final = 100
"""Versions whose digests are read at most, the newest ones."""
_DEPLOYED: Final = "DEPLOYED"
_FAR: Final = 1e14


@dataclass(frozen=True, slots=True)
class Registered:
    """One version as the server holds it; empty texts where it says nothing."""

    name: str
    id: str
    state: str
    """`LIVE` or `ARCHIVED`."""
    uri: str
    created: str
    """As `2026-11-27T21:04:05Z`."""
    run: str
    """The name, else the id, of the pipeline run that made the image."""
    deployed: tuple[str, ...]
    """The inference services that serve it, by the names that the server has for them."""
    verified: str
    """Since when and where the image answers; empty when it was another image."""

    @property
    def digest(self) -> str:
        """The digest of its image; the URI where it has none."""
        return digest(self.uri)


def versions(connection: Connection, model: str) -> tuple[Registered, ...]:
    """Return all versions of the registered model `model`, the newest first.

    What serves it is known as far as OpenShift AI tells the Model Registry. Raises
    ModelRegistryError, also when there is no such model.
    """
    what = f"listing the versions of {model} in the Model Registry at {connection.url}"
    found = ask(connection, what, lambda api: _versions(api, model))
    if found is None:
        raise ModelRegistryError(what, "there is no such model", "register it, or check its name")
    return found


def digests(connection: Connection, model: str) -> tuple[Digest, ...]:
    """Return the digests that the newest versions of `model` name, none for an unknown model.

    Raises ModelRegistryError.
    """
    what = f"reading the digests of {model} in the Model Registry at {connection.url}"
    uris = ask(connection, what, lambda api: _uris(api, model), attempts=3)
    return tuple(dict.fromkeys(found for uri in uris if (found := Digest.read(digest(uri)))))


def ids_of(connection: Connection, model: Model, image: ImageDigest) -> ModelVersion | None:
    """Return the model's version as it is registered, None where it does not name this image.

    Raises ModelRegistryError.
    """
    title = f"{model.name} {model.version}"
    what = f"looking up {title} in the Model Registry at {connection.url}"
    found = ask(connection, what, lambda api: _ids_of(api, model))
    return found if found and digest(found.uri) == str(image.digest) else None


async def _ids_of(api: Any, model: Model) -> ModelVersion | None:
    held = await find_model(api, model.name)
    if held is None:
        return None
    version = await find_version(api, model.version, held["id"])
    artifact = await artifact_of(api, model.name, version["id"]) if version else None
    if version is None or artifact is None:
        return None
    ids = (held["id"], version["id"], artifact["id"])
    return ModelVersion(model.name, model.version, str(artifact.get("uri") or ""), *ids)


async def _uris(api: Any, model: str) -> list[str]:
    found = await find_model(api, model)
    listed = (await _listed(api, found["id"]))[:NAMED] if found else []
    artifacts = await _artifacts(api, model, listed)
    return [str(artifact.get("uri") or "") for artifact in artifacts]


async def _versions(api: Any, model: str) -> tuple[Registered, ...] | None:
    from modelcar.model_registry.client import pages

    found = await find_model(api, model)
    if found is None:
        return None
    listed = await _listed(api, found["id"])
    artifacts = await _artifacts(api, model, listed)
    services = await pages(api.get_inference_services_without_preload_content)
    rows = zip(listed, artifacts, strict=True)
    return tuple(_registered(version, artifact, services) for version, artifact in rows)


async def find_model(api: Any, model: str) -> dict[str, Any] | None:
    """Return the registered model of that name as plain JSON, None for none."""
    return await _found(api.find_registered_model_without_preload_content, model)


async def find_version(api: Any, version: str, model_id: str) -> dict[str, Any] | None:
    """Return the model version of that name as plain JSON, None for none."""
    call = api.find_model_version_without_preload_content
    return await _found(call, version, parent_resource_id=model_id)


async def _found(call: "Call", name: str, **query: str) -> dict[str, Any] | None:
    from mr_openapi.exceptions import NotFoundException

    from modelcar.model_registry.client import page

    try:
        found = await page(call, name, **query)
    except NotFoundException:
        return None
    if not isinstance(found.get("id"), str):
        raise ValueError("it has no id")
    return found


async def _listed(api: Any, model_id: str) -> list[dict[str, Any]]:
    from mr_openapi import OrderByField

    from modelcar.model_registry.client import pages

    call = api.get_registered_model_versions_without_preload_content
    found = await pages(call, model_id, order_by=OrderByField.ID)
    return sorted(found, key=lambda item: (_created(item), int(item["id"])), reverse=True)


async def _artifacts(api: Any, model: str, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the model artifact of each version, an empty one where it has none."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def artifact(version: Mapping[str, Any]) -> dict[str, Any]:
        async with gate:
            return await artifact_of(api, model, version["id"]) or {}

    return list(await asyncio.gather(*map(artifact, listed)))


def _registered(
    version: Mapping[str, Any], artifact: Mapping[str, Any], services: list[dict[str, Any]]
) -> Registered:
    uri = str(artifact.get("uri") or "")
    return Registered(
        name=str(version.get("name") or ""),
        id=str(version["id"]),
        state=str(version.get("state") or "LIVE"),
        uri=uri,
        created=_time(_created(version)),
        run=str(artifact.get("modelSourceName") or artifact.get("modelSourceId") or ""),
        deployed=serving(services, "modelVersionId", str(version["id"])),
        verified=_verified(version, uri),
    )


def serving(services: list[dict[str, Any]], field: str, key: str) -> tuple[str, ...]:
    """Return which of the server's inference services are deployed from what `field` names."""
    return tuple(
        str(service.get("name") or service.get("id"))
        for service in services
        if service.get(field) == key and service.get("desiredState") == _DEPLOYED
    )


def _verified(version: Mapping[str, Any], uri: str) -> str:
    told = version.get("customProperties")
    held = told if isinstance(told, dict) else {}
    values = {name: value for name, value in held.items() if isinstance(value, dict)}
    texts = {name: str(value.get("string_value") or "") for name, value in values.items()}
    if not texts.get("verified_digest") or texts["verified_digest"] != digest(uri):
        return ""
    return f"{texts.get('verified_at', '')} {texts.get('verified_url', '')}".strip()


def _created(item: Mapping[str, Any]) -> int:
    """Return the milliseconds since the epoch; below 0 for what are none."""
    told = str(item.get("createTimeSinceEpoch") or 0)[:20]
    return int(told) if re.fullmatch("[0-9]{1,18}", told) else -1


def _time(milliseconds: int) -> str:
    """Return the time in UTC; nothing for one that no clock shows."""
    if not 0 <= milliseconds < _FAR:
        return ""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
