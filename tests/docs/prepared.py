"""What each page needs before its first command; a page without a row fails the tests."""

from collections.abc import Mapping
from typing import Final

from tests.docs import how_to_places
from tests.docs.how_to_places import Prepare, plain
from tests.docs.place import Place


def dry_make(place: Place) -> None:
    """What `make` would do is said, and not done: these commands are of the whole tree."""
    place.clone.dry_make()


def real_runs(place: Place) -> None:
    """The pipeline really runs."""
    if place.runs:
        place.runs.real = True


PAGES: Final[Mapping[str, Prepare]] = {
    "CONTRIBUTING.md": dry_make,
    "README.md": plain,
    "docs/start.md": plain,
    "docs/tutorial.md": real_runs,
    **how_to_places.PAGES,
}
"""By the page's path."""
INSTEAD: Final[Mapping[str, tuple[str, str]]] = {
    "make test": ("make -n test", "it is what runs this"),
}
"""What runs in place of a command that cannot run here, and why; to be kept this short."""
