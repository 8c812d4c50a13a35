"""Draw docs/pictures/one-digest.svg: where the digest stands, and where it is compared."""

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.picture_shapes import Box, Dot, Shape, Text, Way, svg

PATH = "docs/pictures/one-digest.svg"
_DIGEST = "sha256:7f3a…"
_WIDTH, _EDGE = 760, 12
_LEFT, _BOX, _TALL, _PITCH, _TOP = 30, 560, 54, 94, 30
_CHIP = _LEFT + _BOX - 138
_LANE, _BACK = _CHIP + 62, _LEFT + _BOX + 58


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model stands, under which name, and what is compared on the way there."""

    name: str
    under: str
    compared: str = ""
    digest: bool = True


PLACES = (
    Place("Hub", "org/name, at a branch that moves", digest=False),
    Place(
        "OCI registry",
        "host/models/name, with a tag that is written last",
        "the commit, and the sha256 of the choice: listed again, and compared",
    ),
    Place("Mirror", "quay.io/team/name", "copied with its bytes; the digest is compared"),
    Place("Model Registry", "oci://host/models/name", "compared with the URI of the version"),
    Place("InferenceService", "storageUri: oci://host/models/name", "the image, and its ids"),
    Place("Pods", "ready, and asked for an answer", "the image that runs is compared"),
)


def files() -> Iterator[tuple[str, str]]:
    """Yield the picture's path below the repository, and its text."""
    yield PATH, picture()


def picture() -> str:
    """Return the SVG."""
    height = int(_row(len(PLACES)) - _PITCH + _TALL + 2 * _EDGE)
    return svg("One digest from end to end", description(), _WIDTH, height, list(shapes()))


def description() -> str:
    """Return what the picture shows, in words."""
    ways = "; ".join(f"to {place.name}: {place.compared}" for place in PLACES[1:])
    last = "What answered is recorded in the Model Registry, with the digest."
    return f"One digest stands at each place from the OCI registry on. {ways}. {last}"


def shapes() -> Iterator[Shape]:
    """Yield all that is drawn."""
    for row, place in enumerate(PLACES):
        yield from _place(place, _row(row))
    yield from _digests()
    yield from _recorded()


def _row(row: int) -> float:
    return _TOP + row * _PITCH


def _place(place: Place, y: float) -> Iterator[Shape]:
    if place.compared:
        yield Way(((_LEFT + 24, y - _PITCH + _TALL), (_LEFT + 24, y - 1)), arrow=True)
        yield Text(_LEFT + 38, y - (_PITCH - _TALL) / 2 + 4, place.compared, "label")
    yield Box(_LEFT, y, _BOX, _TALL)
    yield Text(_LEFT + 14, y + 23, place.name, "name")
    yield Text(_LEFT + 14, y + 42, place.under, "quiet")


def _digests() -> Iterator[Shape]:
    """Yield a line, and on it the same digest at each place that has one."""
    rows = [_row(row) for row, place in enumerate(PLACES) if place.digest]
    yield Way(((_LANE, rows[0] + 20), (_LANE, rows[-1] + 20)), "lane0")
    for y in rows:
        yield Box(_CHIP, y + 15, 124, 24, "chip")
        yield Text(_CHIP + 14, y + 31, f"@{_DIGEST}", "label lane0")


def _recorded() -> Iterator[Shape]:
    names = [place.name for place in PLACES]
    there, here = _row(names.index("Model Registry")) + 27, _row(names.index("Pods")) + 27
    right = _LEFT + _BOX
    ways = ((right, here), (_BACK, here), (_BACK, there), (right + 1, there))
    yield Way(ways, "lane1", arrow=True)
    yield Dot(right, here, "lane1")
    for number, line in enumerate(("since when", "and where it", "answers, with", "the digest")):
        yield Text(_BACK + 12, (there + here) / 2 - 20 + number * 16, line, "label lane1")
