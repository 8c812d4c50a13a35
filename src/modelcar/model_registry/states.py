"""Archive a model or one of its versions, and bring it back."""

from dataclasses import dataclass
from typing import Any, Literal

from modelcar.errors import ModelRegistryError
from modelcar.model_registry.asking import ask
from modelcar.model_registry.connection import Connection
from modelcar.model_registry.versions import find_model, find_version, serving

State = Literal["LIVE", "ARCHIVED"]


@dataclass(frozen=True, slots=True)
class Changed:
    """A model, or a version of it, and its state; `changed` is False when that was its state."""

    model: str
    version: str
    """Empty for the model itself."""
    state: State
    changed: bool


def set_state(connection: Connection, model: str, version: str, state: State) -> Changed:
    """Set the state of a version, or of the model when `version` is empty; nothing else changes.

    Raises ModelRegistryError for what is not there, for archiving what an inference service is
    deployed from, and for a version whose model is archived.
    """
    title = f"{model} {version}".strip()
    what = f"setting {title} to {state} in the Model Registry at {connection.url}"
    found = ask(connection, what, lambda api: _set(api, what, (model, version), state))
    return Changed(model, version, state, found)


async def _set(api: Any, what: str, names: tuple[str, str], state: State) -> bool:
    model, version = names
    held = await find_model(api, model)
    if held is None:
        raise ModelRegistryError(what, "there is no such model", "register it, or check its name")
    if not version:
        if state == "ARCHIVED":
            await _refuse_served(api, what, "registeredModelId", held["id"])
        return await _patch_model(api, held, state)
    if held.get("state") == "ARCHIVED":
        remedy = f"restore that first, with `modelcar restore {model}`"
        raise ModelRegistryError(what, "its model is archived", remedy)
    return await _version(api, what, (model, version, held["id"]), state)


async def _version(api: Any, what: str, names: tuple[str, str, str], state: State) -> bool:
    from mr_openapi import ModelVersionState, ModelVersionUpdate

    model, version, model_id = names
    held = await find_version(api, version, model_id)
    if held is None:
        remedy = f"see `modelcar versions {model}`"
        raise ModelRegistryError(what, "there is no such version", remedy)
    if held.get("state", "LIVE") == state:
        return False
    if state == "ARCHIVED":
        await _refuse_served(api, what, "modelVersionId", held["id"])
    change = ModelVersionUpdate(state=ModelVersionState(state))
    await api.update_model_version(held["id"], change)
    return True


async def _patch_model(api: Any, held: dict[str, Any], state: State) -> bool:
    from mr_openapi import RegisteredModelState, RegisteredModelUpdate

    if held.get("state", "LIVE") == state:
        return False
    change = RegisteredModelUpdate(state=RegisteredModelState(state))
    await api.update_registered_model(held["id"], change)
    return True


async def _refuse_served(api: Any, what: str, field: str, key: str) -> None:
    from modelcar.model_registry.client import pages

    services = await pages(api.get_inference_services_without_preload_content)
    if served := serving(services, field, key):
        remedy = "delete that inference service, or serve another version"
        raise ModelRegistryError(what, f"{', '.join(served)} is deployed from it", remedy)
