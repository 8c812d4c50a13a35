"""What befalls one run: faults at its peers, drawn from a seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Peer = Literal["hub", "oci_registry", "mirror", "model_registry"]
Kind = Literal[
    "status",
    "unauthorized",
    "reset while asking",
    "answer lost",
    "reset while answering",
    "truncated",
    "corrupted",
    "wrong length",
    "slow",
    "stalled while asking",
    "stalled while answering",
    "no such name",
    "nobody listens",
]

REQUESTS: Final[Mapping[Peer, int]] = {
    "hub": 12,
    "oci_registry": 40,
    "mirror": 30,
    "model_registry": 9,
}
"""About how many requests of a run each peer sees."""
STATUSES: Final = (429, 500, 502, 503, 504)
_WEIGHTS: Final[Mapping[Kind, int]] = {
    "status": 6,
    "unauthorized": 2,
    "reset while asking": 4,
    "answer lost": 4,
    "reset while answering": 4,
    "truncated": 3,
    "corrupted": 3,
    "wrong length": 3,
    "slow": 2,
    "stalled while asking": 1,
    "stalled while answering": 2,
    "no such name": 1,
    "nobody listens": 1,
}
ALL_ALONG: Final = ("no such name", "nobody listens")
_FOR_GOOD: Final = 10_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: from request number `at` of `peer` on, for `times` requests.

    `where` says after which part of the body, 0 to 1; `status` is that of an answer in its place.
    """

    peer: Peer
    kind: Kind
    at: int
    times: int
    where: float
    status: int = 0
    passed_on: bool = False
    """Whether the server behind sees the request break off, or nothing of it."""

    @property
    def lasting(self) -> bool:
        """Whether it never ends, so that the run cannot go well."""
        return self.times == _FOR_GOOD


@dataclass(frozen=True, slots=True)
class Schedule:
    """The faults of one run, and how it is run."""

    seed: int
    faults: tuple[Fault, ...]
    options: tuple[str, ...]
    base_at_registry: bool

    def absent(self, peer: Peer) -> Kind | None:
        """Return in what way `peer` is not there at all, None when it is."""
        return next((f.kind for f in self.faults if f.peer == peer and f.kind in ALL_ALONG), None)


def draw(seed: int) -> Schedule:
    """Return the schedule of a seed: one to four faults, of which one in five never ends."""
    chance = random.Random(seed)
    faults = tuple(_fault(chance) for _ in range(chance.choice((1, 1, 2, 2, 3, 4))))
    options = chance.choice(((), (), ("--keep-files",), ("--chunk-size", "300Ki")))
    return Schedule(seed, faults, options, chance.random() < 0.4)


def _fault(chance: random.Random) -> Fault:
    peer = chance.choice(tuple(REQUESTS))
    kind = chance.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
    return Fault(
        peer=peer,
        kind=kind,
        at=chance.randrange(REQUESTS[peer]),
        times=_FOR_GOOD if chance.random() < 0.2 else chance.choice((1, 1, 1, 2, 3)),
        where=chance.choice((0.0, 1.0, chance.random(), chance.random(), chance.random())),
        status=chance.choice(STATUSES),
        passed_on=chance.random() < 0.5,
    )
