"""Draw the pipelines of `compiled/` as docs/pictures/*.svg: tasks below each other, lanes beside.

What a task hands to the next stands on the arrow between the two. What it hands to later ones goes
down a lane at the right, from which each of them takes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import wrap

from scripts.compiled_graph import Graph, Task, read
from scripts.picture_shapes import LANES, Box, Dot, Icon, Shape, Text, Way, svg, wide

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {
    "docs/pictures/pipeline.svg": "compiled/modelcar.yaml",
    "docs/pictures/pipeline-overlapped.svg": "compiled/modelcar-overlapped.yaml",
}
PURPOSES = {
    "plan": "chooses commit and files; checks fit, rights and volume",
    "download": "brings the files whose layers the image lacks, verified",
    "build": "pushes the image to the OCI registry",
    "transfer": "streams what the image lacks straight from the Hub into it",
    "mirror": "copies the image by its digest, with skopeo",
    "register": "finds or creates the version in the Model Registry",
    "deploy": "applies the InferenceService, and waits for its answer",
    "verify": "records the answer in the Model Registry",
    "report": "tells what became of each task, and gives the lease back",
}
WORDS = {
    "commit": "commit",
    "choice": "sha256 of the choice",
    "planned": "the plan",
    "plan_sha256": "plan's sha256",
    "reference": "image@sha256",
    "mirror_source": "image@sha256",
    "image_facts": "its facts",
    "image_bytes": "its size",
    "mirror_destination": "where to mirror it",
    "source_tls_verify": "TLS or not",
    "destination_tls_verify": "TLS or not",
    "digest": "digest at the mirror",
    "registered_model_id": "model id",
    "model_version_id": "version id",
    "endpoint": "endpoint",
}
"""What a value is called, in the order in which they are named."""
_WIDTH, _EDGE, _TOP = 760, 12, 40
_LEFT, _BOX, _TALL, _PITCH = 30, 480, 58, 96
_RIGHT = _LEFT + _BOX
_LANE, _APART = 656, 36
_LABEL = 19
"""Letters of a lane's label on one line."""
_TIMES = {1: "once", 2: "twice"}


@dataclass(frozen=True, slots=True)
class Lane:
    """What one task hands to those behind the next one; numbers are rows."""

    number: int
    row: int
    takers: tuple[int, ...]
    values: tuple[str, ...]

    @property
    def x(self) -> float:
        """Where it goes down: the earlier it begins, the farther out."""
        return _LANE + _APART * (LANES - 2 - self.number)


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of each picture."""
    for path, compiled in PICTURES.items():
        yield path, picture(read(ROOT / compiled))


def picture(graph: Graph) -> str:
    """Return the SVG of a pipeline."""
    height = int(_row(len(graph.tasks)) + (_TALL + 20 if graph.closing else 0))
    title = f"The pipeline {graph.name}"
    return svg(title, description(graph), _WIDTH, height, shapes(graph))


def description(graph: Graph) -> str:
    """Return what the picture shows, in words."""
    told = [f"{task.name} {PURPOSES[task.name]}" for task in (*graph.tasks, *graph.closing)]
    return f"The tasks, in their order: {'; '.join(told)}."


def shapes(graph: Graph) -> list[Shape]:
    """Return all that is drawn; raise for a task or a value without a word."""
    found = lanes(graph)
    drawn = [*_frame(graph), *_ways(graph)]
    for row, task in enumerate(graph.tasks):
        drawn += _task(task, _row(row))
    for lane in found:
        drawn += _lane(lane, found)
    return [*drawn, *_closing(graph)]


def lanes(graph: Graph) -> list[Lane]:
    """Return the lanes, the earliest first; those that hand on to the next task alone have none."""
    rows = {task.name: row for row, task in enumerate(graph.tasks)}
    found: list[Lane] = []
    for row, task in enumerate(graph.tasks):
        later = [p for p in graph.passed if p.producer == task.name and rows[p.consumer] > row + 1]
        if later:
            takers = tuple(sorted({rows[one.consumer] for one in later}))
            found.append(Lane(len(found), row, takers, _words(one.value for one in later)))
    if len(found) > LANES - 1:
        raise ValueError(f"{len(found)} lanes are more than the picture has room for")
    return found


def _words(values: Iterator[str]) -> tuple[str, ...]:
    order = list(WORDS)
    return tuple(dict.fromkeys(WORDS[value] for value in sorted(values, key=order.index)))


def _row(row: int) -> float:
    return _TOP + row * _PITCH


def _frame(graph: Graph) -> Iterator[Shape]:
    height = _row(len(graph.tasks)) - (_PITCH - _TALL) + 16 - _EDGE
    yield Box(_EDGE, _EDGE, _WIDTH - 2 * _EDGE, height, "frame")
    tries = max(task.tries for task in graph.tasks)
    yield Text(_LEFT, _EDGE + 19, f"one after another; what fails is tried {_TIMES[tries]}", "mark")
    yield Text(_RIGHT + 10, _EDGE + 19, "what later tasks take", "mark")


def _task(task: Task, y: float, kind: str = "box") -> Iterator[Shape]:
    yield Box(_LEFT, y, _BOX, _TALL, kind)
    yield Text(_LEFT + 14, y + 24, task.name, "name")
    yield Text(_LEFT + 14, y + 45, PURPOSES[task.name], "quiet")
    right: float = _RIGHT - 10
    for icon, text in reversed(_marks(task)):
        long = wide(text, 12) + 36
        yield Box(right - long, y + 9, long, 20, "chip")
        yield Icon(right - long + 8, y + 13, icon)
        yield Text(right - long + 26, y + 23, text, "mark")
        right -= long + 6


def _marks(task: Task) -> list[tuple[str, str]]:
    volume = [("volume", "volume")] if task.volume else []
    return volume + [("secret", name) for name in task.secrets]


def _ways(graph: Graph) -> Iterator[Shape]:
    """Draw an arrow to each task from the one before, with what it hands on directly.

    Raises ValueError for a task that does not wait for the one before: the picture has one line.
    """
    for row, (before, task) in enumerate(pairwise(graph.tasks)):
        if before.name not in task.after:
            raise ValueError(f"{task.name} does not wait for {before.name}, as the picture says")
        direct = [p for p in graph.passed if (p.producer, p.consumer) == (before.name, task.name)]
        x, top = _LEFT + 24, _row(row) + _TALL
        yield Way(((x, top), (x, _row(row + 1) - 1)), arrow=True)
        label = ", ".join(_words(one.value for one in direct))
        yield Text(x + 14, top + (_PITCH - _TALL) / 2 + 4, label, "label")


def _lane(lane: Lane, found: Sequence[Lane]) -> Iterator[Shape]:
    kind, start = f"lane{lane.number}", _port(lane.row, lane, found)
    ends = [_port(row, lane, found) for row in lane.takers]
    for y in ends[:-1]:
        yield Way(((lane.x, y), (_RIGHT + 1, y)), kind, arrow=True)
        yield Dot(lane.x, y, kind)
    points = ((_RIGHT, start), (lane.x, start), (lane.x, ends[-1]), (_RIGHT + 1, ends[-1]))
    yield Way(points, kind, arrow=True)
    label = ", ".join(value.replace(" ", "\u00a0") for value in lane.values)
    for number, line in enumerate(wrap(label, _LABEL)):
        yield Text(_RIGHT + 10, start + 15 + number * 15, line, f"label {kind}")


def _port(row: int, lane: Lane, found: Sequence[Lane]) -> float:
    """Return the height at which a lane meets a task: what comes in above what goes out."""
    here = [one for one in found if row in one.takers] + [one for one in found if one.row == row]
    return _row(row) + _TALL * (here.index(lane) + 1) / (len(here) + 1)


def _closing(graph: Graph) -> Iterator[Shape]:
    y = _row(len(graph.tasks)) + 8
    for task in graph.closing:
        x = _LEFT + 24
        top = y - (_PITCH - _TALL) + 8
        yield Way(((x, top), (x, y - 1)), arrow=True)
        yield Text(x + 14, top + 19, "whatever became of them", "label")
        yield from _task(task, y, "box apart")
    legend = (("volume", "mounts the volume claim"), ("secret", "mounts a secret, if it is there"))
    for number, (icon, text) in enumerate(legend):
        yield Icon(_RIGHT + 16, y + 14 + number * 22, icon)
        yield Text(_RIGHT + 34, y + 24 + number * 22, text, "mark")
