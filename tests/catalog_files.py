"""Catalog files as the tests write them, below the current folder."""

from pathlib import Path

import pytest

from modelcar import catalog
from modelcar.errors import CatalogError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LEAST = 'name: small\nsource: hf://org/Small\nversion: "1.0"\n'


def write(text: str | bytes, name: str = "models/x.yaml") -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def faults(path: Path) -> list[str]:
    """Load a file that has faults, and return them without its name."""
    with pytest.raises(CatalogError) as caught:
        catalog.load(path)
    return [fault.removeprefix("models/x.yaml: ") for fault in caught.value.faults]
