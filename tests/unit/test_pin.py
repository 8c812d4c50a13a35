import stat
from pathlib import Path

import pytest

from modelcar import catalog
from modelcar.errors import CatalogError, UsageError
from tests.catalog_files import COMMIT, LEAST, write


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, so that faults name files by their relative path."""
    monkeypatch.chdir(tmp_path)


PINNED = [
    pytest.param('{s}commit: ""  # by pin\n', '{s}commit: "{c}"  # by pin\n', id="empty text"),
    pytest.param("{s}commit:   # later\n{t}", '{s}commit: "{c}"   # later\n{t}', id="empty"),
    pytest.param("{s}commit: {o}\n{t}", '{s}commit: "{c}"\n{t}', id="an older commit"),
    pytest.param(
        "{s}revision: main   # a branch\n\n{t}",
        '{s}revision: main   # a branch\ncommit: "{c}"\n\n{t}',
        id="behind the revision",
    ),
    pytest.param(
        "name: a\nsource:   hf://o/m # x\nversion: '1'\n",
        "name: a\nsource:   hf://o/m # x\ncommit: \"{c}\"\nversion: '1'\n",
        id="behind the source",
    ),
    pytest.param(
        "name: a\nversion: '1'\nsource: hf://o/m",
        "name: a\nversion: '1'\nsource: hf://o/m\ncommit: \"{c}\"\n",
        id="no newline at the end",
    ),
    pytest.param(
        "\ufeff# BOM\r\nname: a\r\nversion: '1'\r\nsource: hf://o/m\r\n",
        "\ufeff# BOM\r\nname: a\r\nversion: '1'\r\nsource: hf://o/m\r\ncommit: \"{c}\"\r\n",
        id="Windows",
    ),
    pytest.param(
        "{{name: a, version: '1', commit: '', source: 'hf://o/m'}}\n",
        "{{name: a, version: '1', commit: \"{c}\", source: 'hf://o/m'}}\n",
        id="flow",
    ),
]


@pytest.mark.parametrize(("before", "after"), PINNED)
def test_pin_changes_the_commit_and_nothing_else(before: str, after: str) -> None:
    start = f"# Head\n\n{LEAST}description: >-\n    folded\n    text\n"
    tail = "files:   {include: [  'a' ], exclude: []}\nserving:\n    args:\n        - --x   # c\n"

    def filled(text: str) -> str:
        return text.format(s=start, t=tail, c=COMMIT, o="f" * 40)

    path = write(filled(before))
    catalog.pin(path, COMMIT)
    assert path.read_bytes().decode() == filled(after)
    assert catalog.load(path).source.revision == COMMIT


def test_pin_keeps_mode_and_link_and_leaves_no_other_file() -> None:
    path = write(LEAST)
    path.chmod(0o640)
    link = path.with_name("link.yaml")
    link.symlink_to(path.name)

    catalog.pin(link, COMMIT)

    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(Path("models").iterdir()) == [link, path]
    assert catalog.load(path).source.pinned


def test_pin_twice_does_not_write_again() -> None:
    path = write(LEAST)
    catalog.pin(path, COMMIT)
    written = path.stat()
    catalog.pin(path, COMMIT)
    assert path.stat().st_ino == written.st_ino


@pytest.mark.parametrize(
    ("text", "commit", "fault"),
    [
        (
            LEAST,
            "main",
            "commit: 'main' is not a commit (40 of 0-9, a-f); `modelcar pin` writes it",
        ),
        (LEAST, 'x"\nname: y', "line 4: the key 'name' stands twice; remove one"),
        (
            'name: a\nsource: file:///m\nversion: "1"\n',
            COMMIT,
            f"commit: '{COMMIT}': a folder has none; remove it",
        ),
        (LEAST + "gpus: 1\n", COMMIT, "gpus: unknown field; did you mean serving.gpus?"),
    ],
)
def test_pin_refuses_and_leaves_the_file(text: str, commit: str, fault: str) -> None:
    path = write(text)
    with pytest.raises(CatalogError) as caught:
        catalog.pin(path, commit)
    assert caught.value.faults == (f"models/x.yaml: {fault}",)
    assert path.read_text() == text


def test_pin_says_that_an_empty_commit_pins_nothing() -> None:
    path = write(LEAST)
    with pytest.raises(UsageError, match="commit: '' cannot be written there"):
        catalog.pin(path, "")
    assert path.read_text() == LEAST
