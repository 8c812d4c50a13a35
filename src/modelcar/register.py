"""Register an image as a model version, with what the image says of itself."""

from modelcar import model_registry
from modelcar.model_registry import Connection, Lineage
from modelcar.oci.inspect import inspect
from modelcar.oci.reference import DigestReference
from modelcar.values import Model, ModelVersion


def properties(reference: DigestReference) -> dict[str, str]:
    """Return what is recorded of the image; byte counts as text, since the server's integers end.

    Raises ImageError when the image is not there.
    """
    facts = inspect(reference)
    return {
        "commit": facts.commit or "",
        "digest": str(reference.digest),
        "image_bytes": str(facts.size),
        "image_layers": str(facts.layers),
    }


def register(
    connection: Connection,
    model: Model,
    reference: DigestReference,
    *,
    mirror: str = "",
    run: Lineage | None = None,
    move_version: bool = False,
) -> ModelVersion:
    """Find or create the model version that `reference` is; raise ModelRegistryError.

    The commit is the one that the image was built from, whatever its branch points at now.
    """
    recorded = properties(reference)
    return model_registry.register(
        connection,
        model,
        reference.image,
        commit=recorded.pop("commit") or None,
        properties={**recorded, "mirror": mirror},
        run=run,
        move_version=move_version,
    )
