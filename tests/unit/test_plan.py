from dataclasses import replace
from pathlib import Path

import pytest

from modelcar import plan as planning
from modelcar import reuse
from modelcar.build import build
from modelcar.errors import SelectionError, SourceError
from modelcar.hub import Hub
from modelcar.listing import LARGE
from modelcar.oci import layer
from modelcar.oci.reference import Layout, TagReference
from modelcar.oci.store import open_store
from modelcar.packing import DEFAULT, Packing
from modelcar.prepare import prepare
from modelcar.values import BuiltImage, FileRules, Model, ModelSource, Moved, Plan, SourceFile
from modelcar.workfolder import WorkFolder
from tests.byte_path import safetensors

SMALL = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}'}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in {**SMALL, "pytorch_model.bin": b"pickle"}.items():
        (folder / name).write_bytes(content)
    (folder / "model.safetensors").write_bytes(safetensors(LARGE))
    return Model("name", "1.0", ModelSource("file", str(folder)))


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path / "work")


@pytest.fixture
def target(tmp_path: Path) -> TagReference:
    return TagReference(Layout(tmp_path / "images"), "1.0")


def make(model: Model, work: WorkFolder, target: TagReference | None = None) -> Plan:
    store = open_store(target.location) if target else None
    return prepare(model, work, Hub(), store, DEFAULT)


def paths(made: Plan) -> list[list[str]]:
    return [[file.path for file in item.files] for item in made.layers]


def test_a_folders_plan_says_what_goes_in_and_what_would_move(
    model: Model, work: WorkFolder, target: TagReference
) -> None:
    made = make(model, work, target)
    assert (made.model, made.version, made.source, made.commit) == (
        "name",
        "1.0",
        model.source,
        None,
    )
    assert paths(made) == [[*SMALL], ["model.safetensors"]]
    assert [(item.path, item.size) for item in made.left_out] == [("pytorch_model.bin", 6)]
    sizes = [layer.size(item.files) for item in made.layers]
    assert [item.size for item in made.layers] == sizes
    assert made.bytes == Moved(downloaded=0, uploaded=sum(sizes), reused=0)
    assert not work.root.exists()


def test_the_files_rules_are_followed(model: Model, work: WorkFolder) -> None:
    rules = FileRules(exclude=("tokenizer.json",))
    made = make(Model(model.name, "1", model.source, rules=rules), work)
    assert paths(made) == [["config.json"], ["model.safetensors"]]


def test_after_a_build_everything_is_reused(
    model: Model, work: WorkFolder, target: TagReference
) -> None:
    first = make(model, work, target)
    built = build(model, target, work, Hub(), Packing(base="scratch"))
    again = make(model, work, target)
    assert again.bytes == Moved(0, 0, first.bytes.uploaded)
    assert reuse.to_fetch(again) == ()
    assert [item.known and item.known.digest for item in again.layers] == [
        item.digest for item in built.layers
    ]
    assert isinstance(built, BuiltImage)
    assert built.bytes == first.bytes


def test_only_the_layer_of_a_changed_file_would_move(
    model: Model, work: WorkFolder, target: TagReference
) -> None:
    build(model, target, work, Hub(), Packing(base="scratch"))
    Path(model.source.location, "config.json").write_bytes(b'{"x": 1}')
    made = make(model, work, target)
    assert [item.reused for item in made.layers] == [False, True]
    assert made.bytes == Moved(0, made.layers[0].size, made.layers[1].size)
    assert [file.path for file in reuse.to_fetch(made)] == [*SMALL]


def test_nothing_is_reused_of_another_target_or_without_one(
    model: Model, work: WorkFolder, target: TagReference, tmp_path: Path
) -> None:
    build(model, target, work, Hub(), Packing(base="scratch"))
    for other in (None, TagReference(Layout(tmp_path / "other"), "1.0")):
        made = make(model, work, other)
        assert not any(item.reused for item in made.layers)
        assert made.bytes.uploaded == sum(item.size for item in made.layers)
        assert all(item.known is not None for item in made.layers)


def test_the_plan_of_an_unchanged_folder_is_the_same(model: Model, work: WorkFolder) -> None:
    assert make(model, work) == make(model, work)


def test_what_has_no_weights_or_is_not_there_is_refused(
    model: Model, work: WorkFolder, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="there is no such folder"):
        make(Model("x", "1", ModelSource("file", str(tmp_path / "absent"))), work)
    Path(model.source.location, "model.safetensors").unlink()
    with pytest.raises(SelectionError, match="pickle"):
        make(model, work)


def test_files_are_listed_with_their_sizes(model: Model, work: WorkFolder) -> None:
    expected = [SourceFile(name, len(content)) for name, content in SMALL.items()]
    expected.insert(1, SourceFile("model.safetensors", LARGE))
    assert list(make(model, work).files) == expected


def test_other_files_than_were_planned_are_refused(model: Model, work: WorkFolder) -> None:
    made = make(model, work)
    planning.hold(made, str(planning.choice(made)))
    planning.hold(made, "")  # nothing was planned before: a folder on the volume
    larger = replace(made.files[0], size=made.files[0].size + 1)
    with pytest.raises(SourceError) as caught:
        planning.hold(replace(made, files=(larger, *made.files[1:])), str(planning.choice(made)))
    assert "its files are not those that were planned; start a new run" in str(caught.value)
