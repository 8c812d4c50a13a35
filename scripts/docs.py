"""Write the pages and pictures of `docs/` that are made from the sources, or --check them."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from scripts import (
    digest_picture,
    docs_cli,
    docs_exit_codes,
    docs_pipeline,
    docs_schema,
    docs_troubleshooting,
    layers_picture,
    pipeline_pictures,
    reuse_picture,
)

ROOT = Path(__file__).resolve().parents[1]
_MAKERS = (
    docs_cli,
    docs_schema,
    docs_pipeline,
    docs_exit_codes,
    docs_troubleshooting,
    pipeline_pictures,
    digest_picture,
    layers_picture,
    reuse_picture,
)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is out of date.")
def main(check: bool) -> None:
    """Write every generated page and picture, or name those that are out of date."""
    logging.getLogger("modelcar").setLevel(
        logging.ERROR
    )  # of the image that is built for a picture
    try:
        made = list(files())
    except ValueError as error:
        sys.exit(f"docs cannot be made: {error}")
    if check:
        _check(made, ROOT)
    else:
        write(made, ROOT)


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of each file.

    Raises ValueError for what has no words yet, such as a field without a description.
    """
    for maker in _MAKERS:
        yield from maker.files()


def write(made: list[tuple[str, str]], root: Path) -> None:
    """Write the files below `root`."""
    for path, text in made:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        print(path)


def stale(made: list[tuple[str, str]], root: Path) -> list[str]:
    """Return the files below `root` that are not what the sources give."""
    return [path for path, text in made if _text(root / path) != text]


def _check(made: list[tuple[str, str]], root: Path) -> None:
    if found := stale(made, root):
        sys.exit(f"{', '.join(found)}: not what the sources give; run `make pages`")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
