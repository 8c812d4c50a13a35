"""What a user asks for: where, and the values of a .env file and of a site file."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelcar.errors import UsageError
from modelcar.model_registry import Connection
from modelcar.site import Site

WAIT = 10.0
"""Seconds in which a cluster's controllers write a token, with time to spare."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; what is empty is left to what the cluster says of itself."""

    namespace: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of a .env file."""
    site: Site = field(default_factory=Site)
    pvc_size: str = "100Gi"
    storage_class: str = ""
    wait: float = WAIT
    """Seconds to wait for the token of the account that pushes, when it was made just now."""
    adopt: bool = False
    dry_run: bool = False
    with_pvc: bool = False
    """When removing: the volume claim too, and what lies on it."""


def model_registry(asked: Request) -> tuple[str, str]:
    """Return the Model Registry's address and the text of its CA file, as far as they are given.

    The .env file's address counts before the site's, whose CA file holds for its own Model
    Registry. Raises UsageError for what is no address, or no file of certificates.
    """
    named, ours = asked.values.get("MODEL_REGISTRY_URL", ""), asked.site.model_registry
    another = named and ours and Connection(named).url != Connection(ours).url
    file = "" if another else asked.site.model_registry_ca
    return named or ours, certificates(Path(file)) if file else ""


def certificates(path: Path) -> str:
    """Return the text of a file of CA certificates; raise UsageError where it is none."""
    remedy = "name a file of certificates in PEM as model_registry_ca in the site file"
    try:
        ssl.create_default_context(cafile=path)
        return path.read_text(encoding="utf-8")
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise UsageError(f"CA file {path}", "it holds no certificate in PEM", remedy) from error
    except OSError as error:
        raise UsageError(f"CA file {path}", error.strerror or str(error), remedy) from error
