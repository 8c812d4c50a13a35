"""Whether the Model Registry answers, and lets the account read."""

from collections.abc import Iterator

from modelcar.model_registry import Connection, versions
from modelcar.preflight.finding import Finding


def model_registry(name: str, connection: Connection | None) -> Iterator[Finding]:
    """Ask the Model Registry for a model's versions; raise ModelRegistryError."""
    if connection is None:
        yield Finding("model_registry", "unknown", "none is named, and nothing is registered")
        return
    versions.digests(connection, name)
    yield Finding("model_registry", "ok", f"{connection.url} answers")
