"""Register an image as a model version, with what the image says of itself."""

from modelcar import model_registry
from modelcar.model_registry import Connection, Lineage
from modelcar.values import ImageDigest, ImageFacts, Model, ModelVersion


def properties(facts: ImageFacts, mirror: str = "") -> dict[str, str]:
    """Return what is recorded of an image; counts as text, since the server's integers end."""
    return {
        "image_bytes": str(facts.size),
        "image_layers": str(facts.layers),
        "mirror": mirror,
    }


def register(
    connection: Connection,
    model: Model,
    image: ImageDigest,
    facts: ImageFacts,
    *,
    mirror: str = "",
    run: Lineage | None = None,
    move_version: bool = False,
) -> ModelVersion:
    """Find or create the model version that `image` is; raise ModelRegistryError.

    The commit is the one that the image was built from, whatever its branch points at now.
    """
    return model_registry.register(
        connection,
        model,
        image,
        commit=facts.commit,
        properties=properties(facts, mirror),
        run=run,
        move_version=move_version,
    )
