"""How much of a campaign is run: a slice in `make test`, all of it in `make campaign`.

`CAMPAIGN=full` asks for all, `CAMPAIGN_RUNS` for another number of runs of each campaign, and
`CAMPAIGN_SEED` for one seed alone, which repeats a failure.
"""

import os
from collections.abc import Sequence


def full() -> bool:
    """Return whether all of each campaign is asked for."""
    return os.environ.get("CAMPAIGN") == "full"


def seeds(part: int, whole: int) -> Sequence[int]:
    """Return the seeds to run: `part` of them in a slice, `whole` in all."""
    if alone := os.environ.get("CAMPAIGN_SEED"):
        return (int(alone),)
    return range(int(os.environ.get("CAMPAIGN_RUNS") or (whole if full() else part)))


def examples(part: int, whole: int) -> int:
    """Return how many examples a property is tried on."""
    return whole if full() else part
