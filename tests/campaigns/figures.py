"""What campaigns found, a line a run, for `docs/reliability.md`."""

import json
import os
from pathlib import Path
from typing import Any, Final

from tests.campaigns.extent import full

FOLDER: Final = Path(__file__).resolve().parents[2] / ".campaign"


def note(campaign: str, seed: int | str, **found: Any) -> None:
    """Append what a run of a campaign gave, where all of it is run."""
    if not full():
        return
    FOLDER.mkdir(exist_ok=True)
    row = json.dumps({"campaign": campaign, "seed": seed, **found}) + "\n"
    descriptor = os.open(FOLDER / "rows.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, row.encode())  # at once: other workers write there too
    finally:
        os.close(descriptor)
