"""What was found, as Markdown: first the rows that have an aim, then every contestant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.runs import Ratio, Runs
from modelcar.wording import size


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that has an aim."""

    row: str
    found: str
    aim: str
    met: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The figures behind the findings; the first column is text, the others are numbers."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one contest found; `note` says what it was held on."""

    title: str
    findings: Sequence[Finding]
    table: Table
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the contests on one machine."""

    machine: Sequence[str]
    outcomes: Sequence[Outcome]
    notes: Sequence[str] = field(default_factory=tuple)


def ratio(row: str, found: Ratio, aim: float) -> Finding:
    """Return the row of a ratio; it meets its aim when both ways to compute it do."""
    met = max(found.of_medians, found.median) <= aim
    return Finding(row, str(found), f"≤ {aim:.2f}", met)


def contestants(runs: Mapping[str, Runs]) -> Table:
    """Return the table of what each contestant took."""
    header = ("contestant", "seconds", "CPU seconds", "peak memory", "read", "written")
    rows = [
        (
            name,
            f"{run.seconds:.2f}",
            f"{run.cpu:.2f}",
            size(run.peak),
            size(run.read),
            size(run.written),
        )
        for name, run in runs.items()
    ]
    return Table(header, rows)


def markdown(report: Report) -> str:
    """Return the whole page."""
    lines = ["# Measured", "", *_list(report.machine), ""]
    lines += _table(_findings(report.outcomes))
    for outcome in report.outcomes:
        lines += ["", f"## {outcome.title}", "", *([outcome.note, ""] if outcome.note else [])]
        lines += _table(outcome.table)
    if report.notes:
        lines += ["", "## Read with care", "", *_list(report.notes)]
    return "\n".join(lines) + "\n"


def _findings(outcomes: Iterable[Outcome]) -> Table:
    found = [finding for outcome in outcomes for finding in outcome.findings]
    rows = [(item.row, item.found, item.aim, "yes" if item.met else "NO") for item in found]
    return Table(("row", "found", "aim", "met"), rows)


def _list(items: Iterable[str]) -> list[str]:
    return [f"- {item}" for item in items]


def _table(table: Table) -> list[str]:
    numbers = ["--:"] * (len(table.header) - 1)
    return [_row(table.header), _row(["---", *numbers]), *(_row(row) for row in table.rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
