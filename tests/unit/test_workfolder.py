from dataclasses import replace
from pathlib import Path

import pytest

from modelcar.errors import SourceError
from modelcar.values import Digest, KnownLayer, ModelSource, Moved, Plan, PlannedLayer, SourceFile
from modelcar.workfolder import KnownLayers, WorkFolder

KEY, DIGEST = Digest("ab" * 32), Digest("cd" * 32)
FILE = SourceFile("ü/model.bin", 3, DIGEST)
KNOWN = KnownLayer(DIGEST, {"BF16": 3})
LAYER = PlannedLayer((FILE,), 2048, KNOWN, reused=True)
SOURCE = ModelSource("hf", "org/name")
PLAN = Plan("name", "1.0", SOURCE, None, (FILE,), (), (LAYER,), Moved(1, 2, 3), ("w",))


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path / "not" / "yet")


def test_the_default_is_named_or_lies_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert WorkFolder.default().root == Path("/home/me/.cache/modelcar")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert WorkFolder.default().root == Path("/cache/modelcar")
    monkeypatch.chdir(tmp_path)
    for named, root in (("~/w", Path("/home/me/w")), ("w", tmp_path / "w")):
        monkeypatch.setenv("MODELCAR_WORKDIR", named)
        assert WorkFolder.default().root == root


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("hf://org/name", "/data/org--name"),
        ("hf://org/name@v1", "/data/org--name"),
        ("hf://gpt2", "/data/gpt2"),
        ("file:///models/x", "/models/x"),
    ],
)
def test_a_models_files_lie_where_its_source_says(uri: str, place: str) -> None:
    assert WorkFolder(Path("/data")).snapshot(ModelSource.parse(uri)) == Path(place)


def test_a_plan_is_found_again_by_its_sha256(work: WorkFolder) -> None:
    digest = work.save(PLAN)
    anew = replace(LAYER, reused=False)  # the target may have lost it since
    assert work.load(digest) == replace(PLAN, layers=(anew,))
    assert work.save(PLAN) == digest
    assert work.save(Plan("b", "1", SOURCE, None, (), (), (), Moved())) != digest


@pytest.mark.parametrize("damage", [None, "", "{}", "half"])
def test_a_plan_that_is_not_there_whole_is_refused(work: WorkFolder, damage: str | None) -> None:
    digest = work.save(PLAN)
    (path,) = work.root.rglob(f"{digest.hex}*")
    text = path.read_text()
    if damage is None:
        path.unlink()
    else:
        path.write_text(text[: len(text) // 2] if damage == "half" else damage)
    with pytest.raises(SourceError, match=f"{digest.short}: .*; run the download again with this"):
        work.load(digest)


def test_a_layers_digest_is_remembered_and_may_change(work: WorkFolder) -> None:
    known = work.layers()
    assert known.get(KEY) is None
    assert known.get(None) is None
    known.put(KEY, KNOWN)
    assert known.get(KEY) == work.layers().get(KEY) == KNOWN
    work.layers().put(KEY, KnownLayer(KEY))
    assert work.layers().get(KEY) == KnownLayer(KEY)


def test_what_is_known_is_not_written_again_and_torn_rows_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "layers.jsonl"
    for _ in range(3):
        KnownLayers(path).put(KEY, KNOWN)
    whole = path.read_bytes()
    assert len(whole.splitlines()) == 1
    path.write_bytes(whole + b'{"key":"x"}\n' + whole[:-5])
    assert KnownLayers(path).get(KEY) == KNOWN
