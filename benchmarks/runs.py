"""All runs of each contestant, and how two of them compare."""

import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Measured

Contestant = Callable[[], Measured]


@dataclass(slots=True)
class Runs:
    """All runs of one contestant, in the order of the rounds."""

    measured: list[Measured] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of the wall-clock seconds."""
        return statistics.median(run.seconds for run in self.measured)

    @property
    def cpu(self) -> float:
        """The median of the CPU seconds."""
        return statistics.median(run.cpu for run in self.measured)

    @property
    def peak(self) -> int:
        """The largest resident set of any run, in bytes."""
        return max(run.peak for run in self.measured)

    @property
    def read(self) -> int:
        """The most bytes that any run read from files."""
        return max(run.read for run in self.measured)

    @property
    def written(self) -> int:
        """The most bytes that any run wrote to disk."""
        return max(run.written for run in self.measured)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our seconds over theirs: of the medians, and over the rounds."""

    of_medians: float
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ours: Runs, theirs: Runs) -> "Ratio":
        """Compare two contestants round by round."""
        pairs = zip(ours.measured, theirs.measured, strict=True)
        ratios = [our.seconds / their.seconds for our, their in pairs]
        of_medians = ours.seconds / theirs.seconds
        return cls(of_medians, statistics.median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        of_rounds = f"{self.median:.2f} by rounds, {self.least:.2f} to {self.most:.2f}"
        return f"{self.of_medians:.2f} ({of_rounds})"


def in_rounds(count: int, contestants: Mapping[str, Contestant]) -> dict[str, Runs]:
    """Run each contestant once a round; every other round goes backwards, so that none is first."""
    runs = {name: Runs() for name in contestants}
    for number in range(count):
        order = list(contestants)[:: 1 if number % 2 == 0 else -1]
        for name in order:
            measured = contestants[name]()
            runs[name].measured.append(measured)
            tell(f"  {number + 1}/{count} {name:<34}{measured.seconds:8.2f} s")
    return runs


def best(runs: Mapping[str, Runs], names: Iterable[str]) -> Runs:
    """Return the fastest of the contestants named."""
    return min((runs[name] for name in names), key=lambda run: run.seconds)


def tell(text: str) -> None:
    """Write progress to standard error."""
    print(text, file=sys.stderr, flush=True)
