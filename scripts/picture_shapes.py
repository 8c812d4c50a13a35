"""The shapes of a picture, and the SVG that they become: legible on light and on dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

_LIGHT = {
    "page": "#ffffff",
    "edge": "#d0d7de",
    "fill": "#f6f8fa",
    "text": "#1f2328",
    "quiet": "#59636e",
    "way": "#57606a",
    "lane0": "#0969da",
    "lane1": "#1a7f37",
    "lane2": "#bc4c00",
    "lane3": "#8250df",
}
_DARK = {
    "page": "#0d1117",
    "edge": "#3d444d",
    "fill": "#161b22",
    "text": "#f0f6fc",
    "quiet": "#9aa4af",
    "way": "#8b949e",
    "lane0": "#4493f8",
    "lane1": "#3fb950",
    "lane2": "#f0883e",
    "lane3": "#ab7df8",
}
LANES = sum(name.startswith("lane") for name in _LIGHT)
_STYLE = """
text{font-family:system-ui,-apple-system,"Segoe UI","Noto Sans","DejaVu Sans",sans-serif}
text{fill:var(--text);font-size:13px}
.name{font-size:16px;font-weight:600}.quiet,.mark{fill:var(--quiet)}.mark,.label{font-size:12px}
.page{fill:var(--page)}.box,.frame,.chip{stroke:var(--edge);fill:var(--fill)}
.chip,.frame{fill:var(--page)}.apart{stroke-dasharray:5 4}
path{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.way{stroke:var(--way);stroke-width:2}.icon{stroke:var(--quiet);stroke-width:1.3}
polygon.way{fill:var(--way)}circle{stroke:none}
"""
_FONT = {"name": 16.0, "mark": 12.0, "label": 12.0}
_LETTERS = {0.28: "ijl", 0.4: "frt.,:;'()-\u00a0 ", 0.82: "wCDGHNOQRU", 0.99: "mMW@"}
_WIDE = {letter: wide for wide, letters in _LETTERS.items() for letter in letters}
ICONS = {
    "volume": "M1 3c0-2.4 9-2.4 9 0s-9 2.4-9 0v7c0 2.4 9 2.4 9 0v-7",
    "secret": "M6.6 6.2a2.9 2.9 0 1 1-5.8 0 2.9 2.9 0 0 1 5.8 0ZM6.6 6.2h6.2v3M10.2 6.2v2.2",
}


def wide(text: str, size: float) -> float:
    """Return how wide a text becomes, in fonts that are wider than most."""
    return size * sum(_WIDE.get(letter, 0.63) for letter in text)


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `x`, `y` is where its base line begins."""

    x: float
    y: float
    text: str
    kind: str = ""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, no smaller than they become."""
        size = _FONT.get(self.kind.partition(" ")[0], 13.0)
        times = 1.1 if self.kind == "name" else 1.0
        return (
            self.x,
            self.y - 0.8 * size,
            self.x + times * wide(self.text, size),
            self.y + 0.25 * size,
        )


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with round corners."""

    x: float
    y: float
    width: float
    height: float
    kind: str = "box"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True, slots=True)
class Way:
    """A line through points, each right of, left of, above or below the one before."""

    points: tuple[tuple[float, float], ...]
    kind: str = "way"
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """Where a line branches off."""

    x: float
    y: float
    kind: str


@dataclass(frozen=True, slots=True)
class Icon:
    """A small drawing of ICONS."""

    x: float
    y: float
    name: str


Shape = Text | Box | Way | Dot | Icon


def svg(title: str, description: str, width: int, height: int, shapes: Sequence[Shape]) -> str:
    """Return the picture; title and description are what a screen reader reads."""
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title desc",
        },
    )
    ElementTree.SubElement(root, "title", id="title").text = title
    ElementTree.SubElement(root, "desc", id="desc").text = description
    ElementTree.SubElement(root, "style").text = _style()
    page = {"class": "page", "width": str(width), "height": str(height), "rx": "10"}
    ElementTree.SubElement(root, "rect", page)
    for shape in shapes:
        _draw(root, shape)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _style() -> str:
    dark = f"@media(prefers-color-scheme:dark){{{_colours(_DARK)}}}"
    lanes = (
        f".lane{n}{{stroke:var(--lane{n})}}"
        f"polygon.lane{n},circle.lane{n},text.lane{n}{{fill:var(--lane{n})}}"
        f"text.lane{n}{{stroke:none}}"
        for n in range(LANES)
    )
    return f"\n{_colours(_LIGHT)}\n{dark}{_STYLE}" + "\n".join(lanes) + "\n"


def _colours(colours: dict[str, str]) -> str:
    return "svg{" + ";".join(f"--{name}:{value}" for name, value in colours.items()) + "}"


def _draw(root: ElementTree.Element, shape: Shape) -> None:
    match shape:
        case Text():
            given = {"x": _n(shape.x), "y": _n(shape.y)}
            given |= {"class": shape.kind} if shape.kind else {}
            ElementTree.SubElement(root, "text", given).text = shape.text
        case Box():
            size = {"width": _n(shape.width), "height": _n(shape.height)}
            place = {"class": shape.kind, "x": _n(shape.x), "y": _n(shape.y)}
            ElementTree.SubElement(root, "rect", {**place, **size, "rx": "6"})
        case Way():
            ElementTree.SubElement(root, "path", {"class": shape.kind, "d": _path(shape.points)})
            if shape.arrow:
                head = {"class": shape.kind, "points": _head(*shape.points[-2:])}
                ElementTree.SubElement(root, "polygon", head)
        case Dot():
            given = {"class": shape.kind, "cx": _n(shape.x), "cy": _n(shape.y), "r": "3"}
            ElementTree.SubElement(root, "circle", given)
        case Icon():
            given = {"class": "icon", "d": ICONS[shape.name]}
            given["transform"] = f"translate({_n(shape.x)} {_n(shape.y)})"
            ElementTree.SubElement(root, "path", given)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return a line whose corners are round."""
    (x, y), *rest = points
    drawn = [f"M{_n(x)} {_n(y)}"]
    for here, after in pairwise(rest):
        before, behind = _towards(here, (x, y)), _towards(here, after)
        drawn.append(f"L{_n(before[0])} {_n(before[1])}")
        drawn.append(f"Q{_n(here[0])} {_n(here[1])} {_n(behind[0])} {_n(behind[1])}")
        x, y = here
    return "".join([*drawn, f"L{_n(rest[-1][0])} {_n(rest[-1][1])}"])


def _towards(
    start: tuple[float, float], end: tuple[float, float], by: float = 6
) -> tuple[float, float]:
    long = abs(end[0] - start[0]) + abs(end[1] - start[1])
    part = min(by, long / 2) / long
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _head(start: tuple[float, float], end: tuple[float, float]) -> str:
    back = _towards(end, start, 7)
    wide = (4, 0) if start[0] == end[0] else (0, 4)
    corners = (end, (back[0] + wide[0], back[1] + wide[1]), (back[0] - wide[0], back[1] - wide[1]))
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
