"""Write `models/schema.json` and `site.schema.json` from the library's schemas, or --check them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from modelcar import schemas

ROOT = Path(__file__).resolve().parents[1]
_FOLDERS = {"catalog": "models", "site": "."}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is out of date.")
def main(check: bool) -> None:
    """Write both files, or name those that are not what the library gives."""
    stale = [path for path, text in files() if not path.is_file() or path.read_text() != text]
    if check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        sys.exit(f"{names}: not what the sources give; run `make schemas`")
    if not check:
        for path, text in files():
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each generated file."""
    for kind, folder in _FOLDERS.items():
        yield ROOT / folder / schemas.FILES[kind], schemas.text(kind)


if __name__ == "__main__":
    main()
