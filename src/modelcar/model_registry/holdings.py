"""Which images a Model Registry names: in its artifacts' URIs, and in any property."""

from typing import TYPE_CHECKING, Any

from modelcar import mentions
from modelcar.mentions import Mention
from modelcar.model_registry.asking import ask
from modelcar.model_registry.connection import Connection

if TYPE_CHECKING:
    from modelcar.model_registry.client import Call


def holdings(connection: Connection) -> tuple[Mention, ...]:
    """Return what every model, version and model artifact names, archived ones too.

    Texts of any field count, such as the versions' properties `mirror` and `previous_uri`.
    Raises ModelRegistryError.
    """
    return ask(connection, f"listing what the Model Registry at {connection.url} names", _holdings)


async def _holdings(api: Any) -> tuple[Mention, ...]:
    kinds: dict[str, Call] = {
        "registered model": api.get_registered_models_without_preload_content,
        "model version": api.get_model_versions_without_preload_content,
        "model artifact": api.get_model_artifacts_without_preload_content,
    }
    return tuple([mention for kind in kinds.items() for mention in await _of_kind(*kind)])


async def _of_kind(kind: str, call: "Call") -> list[Mention]:
    from mr_openapi import OrderByField

    from modelcar.model_registry.client import pages

    return [
        mentions.find(
            f"{kind} {item.get('name')} (id {item.get('id')}) in the Model Registry", item
        )
        for item in await pages(call, order_by=OrderByField.ID)
    ]
