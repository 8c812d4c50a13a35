"""Draw docs/pictures/reuse.svg: how a byte moves, where it goes on, and what is not sent again."""

from collections.abc import Iterator, Sequence

from scripts.picture_shapes import Box, Shape, Text, Way, svg

PATH = "docs/pictures/reuse.svg"
_WIDTH, _HEIGHT = 760, 560
_DESCRIPTION = (
    "A file streams from the Hub through its checks into a layer at the OCI registry, and is"
    " hashed once on the way. Where a connection breaks, the Hub goes on by a range and the OCI"
    " registry from the offset that it acknowledges. The journal of the work folder knows layers"
    " by their key; the OCI registry is asked whether each still stands, and what stands is not"
    " sent. Of version 2, in which one shard and the README changed, that shard and the layer of"
    " small files are sent."
)
_LAYERS = ("base", "small files", "shard 1", "shard 2", "shard 3")
_CHANGED = ("small files", "shard 2")


def files() -> Iterator[tuple[str, str]]:
    """Yield the picture's path below the repository, and its text."""
    yield PATH, picture()


def picture() -> str:
    """Return the SVG."""
    title = "How bytes move, and which do not"
    return svg(title, _DESCRIPTION, _WIDTH, _HEIGHT, list(shapes()))


def shapes() -> Iterator[Shape]:
    """Yield all that is drawn."""
    yield Text(30, 34, "On its way: four layers at a time, nothing on disk", "name")
    yield from _stream()
    yield from _known()
    yield Text(30, 386, "The next version: one shard and the README changed", "name")
    yield from _version("version 1", 402, ())
    yield from _version("version 2", 466, _CHANGED)
    yield Text(118, 544, "in colour: sent; the others stand already, and are asked for", "mark")


def _stream() -> Iterator[Shape]:
    checks = ("sha256, git blob id", "safetensors header", "digest of the layer")
    yield from _box("Hub", 30, 60, 130, ("a file, at", "the commit"))
    yield from _box("Checks", 300, 60, 170, checks)
    yield from _box("OCI registry", 600, 60, 130, ("its layer,", "by digest"))
    yield Way(((160, 90), (299, 90)), "lane0", arrow=True)
    yield Way(((470, 90), (599, 90)), "lane0", arrow=True)
    yield Text(184, 82, "each byte once", "label lane0")
    yield Text(486, 82, "as it passes", "label lane0")
    yield Way(((300, 132), (161, 132)), "way", arrow=True)
    yield Way(((600, 132), (471, 132)), "way", arrow=True)
    yield Text(174, 150, "broken: a range", "label")
    yield Text(500, 150, "from byte N", "label")


def _known() -> Iterator[Shape]:
    yield from _box("Model Registry", 30, 226, 170, ("names images by", "their digest"))
    journal = ("journal: layer key → digest", "key: paths, sizes, checksums")
    yield from _box("Known layers", 290, 226, 220, journal)
    yield from _box("Still there?", 590, 226, 140, ("asked for each;", "then not sent"))
    yield Way(((200, 260), (289, 260)), "lane1", arrow=True)
    yield Text(212, 252, "believed", "label lane1")
    yield Way(((510, 260), (589, 260)), "lane1", arrow=True)
    yield Text(524, 252, "known", "label lane1")
    yield Way(((664, 226), (664, 161)), "lane1", arrow=True)
    yield Way(((385, 160), (385, 225)), "lane1", arrow=True)
    yield Text(396, 202, "after it stands", "label lane1")
    yield from _others()


def _others() -> Iterator[Shape]:
    told = "Other images at the target: --trust-target believes them, --verify-reused reads them"
    yield Box(30, 318, 700, 34, "frame apart")
    yield Text(46, 340, told, "quiet")


def _version(name: str, y: float, sent: Sequence[str]) -> Iterator[Shape]:
    yield Text(30, y + 28, name, "quiet")
    for number, layer in enumerate(_LAYERS):
        x = 118 + number * 124
        new = layer in sent
        yield Box(x, y, 112, 44, "chip lane2" if new else "chip")
        yield Text(x + 14, y + 27, layer, "lane2" if new else "quiet")
        if sent and not new:
            yield Way(((x + 56, y - 20), (x + 56, y - 1)), "way", arrow=True)


def _box(name: str, x: float, y: float, width: float, lines: Sequence[str]) -> Iterator[Shape]:
    yield Box(x, y, width, 100 if y < 100 else 74)
    yield Text(x + 12, y + 24, name, "name")
    for number, line in enumerate(lines):
        yield Text(x + 12, y + 44 + number * 18, line, "quiet")
