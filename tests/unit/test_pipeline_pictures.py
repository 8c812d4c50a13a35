"""The pictures of the pipelines: all that the compiled files say, legible, nothing over another."""

import re
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import pipeline_pictures
from scripts.compiled_graph import Graph, Passed, read
from scripts.picture_shapes import ICONS, Box, Dot, Icon, Text, Way
from scripts.pipeline_pictures import PICTURES, PURPOSES, WORDS, lanes, picture, shapes
from tests.pipeline.compiled_file import ROOT

SVG = "{http://www.w3.org/2000/svg}"
Bounds = tuple[float, float, float, float]


@pytest.fixture(params=sorted(PICTURES.values()), ids=lambda path: Path(path).stem)
def graph(request: pytest.FixtureRequest) -> Graph:
    return read(ROOT / request.param)


def overlap(one: Bounds, other: Bounds) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def within(inner: Bounds, outer: Bounds) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )


def texts(graph: Graph) -> list[Text]:
    return [shape for shape in shapes(graph) if isinstance(shape, Text)]


def boxes(graph: Graph, kind: str) -> list[Box]:
    return [one for one in shapes(graph) if isinstance(one, Box) and kind in one.kind.split()]


def test_it_is_well_formed_small_and_told_in_words(graph: Graph) -> None:
    text = picture(graph)
    root = ElementTree.fromstring(text)
    assert len(text.encode()) < 30_000
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{SVG}title") == f"The pipeline {graph.name}"
    described = root.findtext(f"{SVG}desc") or ""
    assert all(f"{task.name} " in described for task in (*graph.tasks, *graph.closing))
    assert picture(graph) == text


def test_it_has_colours_for_light_and_dark(graph: Graph) -> None:
    style = ElementTree.fromstring(picture(graph)).findtext(f"{SVG}style") or ""
    light, _, dark = style.partition("@media(prefers-color-scheme:dark)")
    names = set(re.findall(r"var\((--\w+)\)", style))
    assert names
    for name in names:
        assert f"{name}:#" in light
        assert f"{name}:#" in dark


def test_every_task_is_a_box_with_its_purpose_in_the_order_of_the_file(graph: Graph) -> None:
    tasks = (*graph.tasks, *graph.closing)
    drawn = boxes(graph, "box")
    names = [one for one in texts(graph) if one.kind == "name"]
    assert [one.text for one in names] == [task.name for task in tasks]
    assert [one.y for one in drawn] == sorted(one.y for one in drawn)
    for task, box in zip(tasks, drawn, strict=True):
        inside = [one.text for one in texts(graph) if within(one.bounds, box.bounds)]
        assert inside[:2] == [task.name, PURPOSES[task.name]]
        chips = [one for one in boxes(graph, "chip") if within(one.bounds, box.bounds)]
        assert len(chips) == len(task.secrets) + bool(task.volume)
        assert sorted(inside[2:]) == sorted([*task.secrets, *(["volume"] if task.volume else [])])


def test_the_closing_task_stands_apart(graph: Graph) -> None:
    (frame,) = boxes(graph, "frame")
    (apart,) = boxes(graph, "apart")
    inside = [one for one in boxes(graph, "box") if within(one.bounds, frame.bounds)]
    assert len(inside) == len(graph.tasks)
    assert not overlap(frame.bounds, apart.bounds)


def test_no_text_is_clipped_or_over_another(graph: Graph) -> None:
    width, height = (
        float(one) for one in re.findall(r'(?:width|height)="(\d+)"', picture(graph))[:2]
    )
    found = texts(graph)
    for one in found:
        assert within(one.bounds, (0, 0, width, height)), one
        for box in (*boxes(graph, "box"), *boxes(graph, "chip")):
            assert within(one.bounds, box.bounds) or not overlap(one.bounds, box.bounds), one
    for one, other in combinations(found, 2):
        assert not overlap(one.bounds, other.bounds), (one, other)
    for chip, next_chip in combinations(boxes(graph, "chip"), 2):
        assert not overlap(chip.bounds, next_chip.bounds), (chip, next_chip)
    name_chips = [(n, c) for n in found if n.kind == "name" for c in boxes(graph, "chip")]
    assert not [pair for pair in name_chips if overlap(pair[0].bounds, pair[1].bounds)]


def test_no_line_goes_through_a_text(graph: Graph) -> None:
    for way in (one for one in shapes(graph) if isinstance(one, Way)):
        for (x, y), (to_x, to_y) in pairwise(way.points):
            line = (min(x, to_x), min(y, to_y), max(x, to_x) + 0.1, max(y, to_y) + 0.1)
            for text in texts(graph):
                assert not overlap(line, text.bounds), (way, text)


def test_lines_go_straight_down_or_across(graph: Graph) -> None:
    for way in (one for one in shapes(graph) if isinstance(one, Way)):
        for (x, y), (to_x, to_y) in pairwise(way.points):
            assert (x == to_x) != (y == to_y), way


def test_what_passes_is_drawn_from_who_gives_it_to_who_takes_it(graph: Graph) -> None:
    """Directly to the next task, with its word on the arrow; else by the lane of who gives it."""
    names = [task.name for task in graph.tasks]
    found = {lane.row: lane for lane in lanes(graph)}
    labels = " ".join(one.text.replace("\u00a0", " ") for one in texts(graph))
    for passed in graph.passed:
        row, taker = names.index(passed.producer), names.index(passed.consumer)
        assert WORDS[passed.value] in labels
        if taker > row + 1:
            assert taker in found[row].takers
            assert WORDS[passed.value] in found[row].values
    taken = sum(len(lane.takers) for lane in found.values())
    ends = [one for one in shapes(graph) if isinstance(one, Way) and one.kind.startswith("lane")]
    assert len(ends) == taken
    assert sum(isinstance(one, Dot) for one in shapes(graph)) == taken - len(found)


def test_every_icon_is_one_that_can_be_drawn(graph: Graph) -> None:
    used = {one.name for one in shapes(graph) if isinstance(one, Icon)}
    assert used == ICONS.keys()


def test_a_value_or_a_task_without_a_word_is_refused(graph: Graph) -> None:
    newer = Passed("newer", graph.tasks[0].name, graph.tasks[-1].name)
    with pytest.raises(ValueError, match="newer"):
        picture(replace(graph, passed=(*graph.passed, newer)))
    unknown = replace(graph.tasks[0], name="unknown")
    with pytest.raises(KeyError, match="unknown"):
        picture(replace(graph, tasks=(*graph.tasks, unknown)))


def test_tasks_side_by_side_are_refused(graph: Graph) -> None:
    """As `register` beside `mirror` would be: the picture says that one follows another."""
    tasks = {task.name: task for task in graph.tasks}
    after = tuple(name for name in tasks["register"].after if name != "mirror")
    tasks["register"] = replace(tasks["register"], after=after)
    with pytest.raises(ValueError, match="register does not wait for mirror"):
        picture(replace(graph, tasks=tuple(tasks.values())))


def test_more_lanes_than_there_is_room_for_are_refused(graph: Graph) -> None:
    last = graph.tasks[-1].name
    many = tuple(Passed("commit", task.name, last) for task in graph.tasks[:-2])
    with pytest.raises(ValueError, match="more than the picture has room for"):
        picture(replace(graph, passed=many))


def test_both_are_written() -> None:
    for path, text in pipeline_pictures.files():
        assert (ROOT / path).read_text(encoding="utf-8") == text
