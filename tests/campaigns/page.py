"""Write what the last whole campaign found into `docs/reliability.md`: `make campaign` does."""

import ast
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.campaigns.figures import FOLDER

PAGE: Final = FOLDER.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: by make campaign -->", "<!-- end of figures -->"
Row = Mapping[str, Any]


def main() -> None:
    """Write the figures; say so and exit 1 where a test failed, or a campaign was not run."""
    rows = [json.loads(line) for line in (FOLDER / "rows.jsonl").read_text().splitlines()]
    failed = [row["seed"] for row in rows if row.get("outcome") == "failed"]
    if failed:
        sys.exit(f"no figures are written: {len(failed)} tests failed, {failed[0]} first")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = "\n".join([BEGIN, "", *figures(rows), "", END])
    PAGE.write_text(f"{before}{text}{after}", encoding="utf-8")


def figures(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield f"Of {datetime.now(UTC):%Y-%m-%d}, two workers on two cores.\n"
    yield from _table(("campaign", "runs", "came of it"), _campaigns(rows))
    yield ""
    faults = [row for row in rows if row["campaign"] == "faults"]
    heads = ("fault", "schedules with it", "ended right", "ended with one line")
    yield from _table(heads, _kinds(faults))
    yield ""
    yield from _table(("tests", "what they try", "passed", "skipped", "seconds"), _files(rows))


def _table(heads: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _campaigns(rows: Sequence[Row]) -> Iterator[tuple[str, int, str]]:
    def of(name: str) -> list[Row]:
        found = [row for row in rows if row["campaign"] == name]
        if not found:
            sys.exit(f"no figures are written: nothing is on record of {name}")
        return found

    faults, kills, half = of("faults"), of("kills"), of("half written")
    right = sum(not row["code"] for row in faults)
    longest = max(row["seconds"] for row in faults)
    met = sum(row["met"] for row in faults)
    yield (
        "faults",
        len(faults),
        f"{right} right, {len(faults) - right} with one line and right when run again; "
        f"{met} requests met a fault; the longest took {longest:.0f} s",
    )
    yield "kills", len(kills), f"{_sent(kills)}; all right when run again"
    files = f"{sum(row['damaged'] for row in half)} of {sum(row['of'] for row in half)} files"
    yield "half written files", len(half), f"{files} were damaged; all right when run again"
    for name in ("full volume", "quota"):
        found = of(name)
        said = sum(bool(row["code"]) for row in found)
        yield name, len(found), f"{said} with one line, and right once there was room"


def _sent(kills: Sequence[Row]) -> str:
    by = Counter(row["sent"] for row in kills)
    ended = sum(row["code"] == 0 for row in kills)
    fresh = sum(row["fresh"] for row in kills)
    sent = ", ".join(f"{count} {name}" for name, count in sorted(by.items()))
    return f"{sent}, of which {ended} came after the end; {fresh} again in a fresh work folder"


def _kinds(faults: Sequence[Row]) -> Iterator[tuple[str, int, int, int]]:
    for kind in sorted({kind for row in faults for kind in row["kinds"]}):
        found = [row for row in faults if kind in row["kinds"]]
        right = sum(not row["code"] for row in found)
        yield kind, len(found), right, len(found) - right


def _files(rows: Sequence[Row]) -> Iterator[tuple[str, str, int, int, int]]:
    tests = [row for row in rows if row["campaign"] == "tests"]
    for name in sorted({row["file"] for row in tests}):
        found = [row for row in tests if row["file"] == name]
        ended = Counter(row["outcome"] for row in found)
        seconds = sum(row["seconds"] for row in found)
        said = ast.get_docstring(ast.parse((Path(__file__).parent / name).read_text())) or ""
        told = said.partition("\n")[0].rstrip(".")
        yield f"`{name}`", told, ended["passed"], ended["skipped"], round(seconds)


if __name__ == "__main__":
    main()
