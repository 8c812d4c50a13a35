"""A .env file with the predecessor's keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelcar.errors import UsageError

KEYS: Final = (
    "HF_TOKEN",
    "QUAY_USERNAME",
    "QUAY_PASSWORD",
    "QUAY_ORGANIZATION",
    "MODEL_REGISTRY_URL",
)


def read(path: Path) -> Mapping[str, str]:
    """Return the values of the known keys; raise UsageError for a file that cannot be read.

    Other keys are left to whom they concern; no value is ever part of an error.
    """
    from io import StringIO

    from dotenv import dotenv_values

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"file {path}", why, "name a file of KEY=value lines") from error
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    values = {key: (found.get(key) or "").strip() for key in KEYS}
    if not any(values.values()):
        raise UsageError(f"file {path}", f"it has none of {', '.join(KEYS)}", "write KEY=value")
    half = bool(values["QUAY_USERNAME"]) != bool(values["QUAY_PASSWORD"])
    if half:
        why = "QUAY_USERNAME and QUAY_PASSWORD belong together"
        raise UsageError(f"file {path}", why, "write both, or neither")
    return values
