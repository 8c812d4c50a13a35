"""How a component's modules are packed, and what it installs, on small packages of our own."""

import os
from importlib import metadata
from pathlib import Path

import pytest

from components import _pins
from components._embedding import archive
from components._pins import closure
from components._reaching import reached
from tests.pipeline.compiled_file import sources


def source(folder: Path, files: dict[str, str]) -> Path:
    """Write a package `modelcar` of these files and return the folder that it lies in."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "modelcar" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_templates_go_with_their_module(tmp_path: Path) -> None:
    root = source(
        tmp_path, {"report.py": "", "report.html.j2": "{{ page }}\n", "other.html.j2": ""}
    )
    packed = sources(archive(root, {"modelcar.report": ""}))
    assert packed == {"modelcar/report.py": "", "modelcar/report.html.j2": "{{ page }}\n"}


def test_sources_are_made_small_and_mean_the_same(tmp_path: Path) -> None:
    text = '''
"""Words."""
from dataclasses import dataclass


@dataclass
class Pair:
    """More words."""

    left: int  # kept: the dataclass lives by it
    right: int = 2


def total(pair: Pair) -> int:
    """Return the sum."""
    answer: int = pair.left + pair.right
    return answer
'''
    root = source(tmp_path, {"first.py": text})
    (small,) = sources(archive(root, {"modelcar.first": text})).values()
    assert len(small) < len(text) / 2
    assert "words" not in small.lower()
    names: dict[str, object] = {"__name__": __name__}
    exec(small, names)
    assert eval("total(Pair(40))", names) == 42


def test_an_archive_knows_no_clock_and_no_mode_and_has_one_order(tmp_path: Path) -> None:
    files = {"first.py": "import modelcar.second", "second.py": "x = 1"}
    one = source(tmp_path / "one", files)
    two = source(tmp_path / "two", dict(reversed(files.items())))
    for path in two.rglob("*.py"):
        path.chmod(0o640)
        os.utime(path, (1, 1))
    texts = reached(one, "import modelcar.first")

    packed = archive(one, texts)

    assert archive(two, dict(reversed(texts.items()))) == packed
    names = list(sources(packed))
    first = sorted(names).index(names[0])
    assert names == sorted(names)[first:] + sorted(names)[:first]


def test_a_source_with_a_nul_is_none(tmp_path: Path) -> None:
    root = source(tmp_path, {"report.py": "", "report.html.j2": "a\0b"})
    with pytest.raises(ValueError, match="a source holds a NUL"):
        archive(root, {"modelcar.report": ""})


def test_closure_is_complete_and_sorted() -> None:
    found = closure(["jinja2"])
    versions = {name: metadata.version(name) for name in ("jinja2", "markupsafe")}
    assert found == [f"{name}=={version}" for name, version in versions.items()]


def test_extras_bring_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _distribution(tmp_path, "outer", "inner[more]")
    _distribution(tmp_path, "inner", 'deep; extra == "more"', 'never; extra == "other"')
    _distribution(tmp_path, "deep", 'old; python_version < "3.12"', 'mac; sys_platform == "darwin"')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_pins, "_pins", lambda: {"outer": "1", "inner": "2", "deep": "3"})
    assert closure(["outer"]) == ["deep==3", "inner==2", "outer==1"]


def test_package_without_a_pin_is_named_with_the_remedy() -> None:
    with pytest.raises(
        LookupError, match=r"^no-such-package is not pinned: run `make constraints`"
    ):
        closure(["no_such.package"])


def _distribution(folder: Path, name: str, *needs: str) -> None:
    path = folder / f"{name}-0.dist-info" / "METADATA"
    path.parent.mkdir()
    lines = [f"Requires-Dist: {need}" for need in needs]
    path.write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 0", *lines, ""]))


def test_an_archive_has_no_character_that_json_argo_or_kfp_would_change(tmp_path: Path) -> None:
    text = archive(source(tmp_path, {}), {"modelcar.first": "names = range(10)\n" * 50})
    assert not set(text) & set("<>&{}$\"'\\ \n")
