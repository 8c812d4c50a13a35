"""Which modules a component carries, and the archive of them: the same bytes on every machine."""

import ast
import base64
import bz2
import io
import tarfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from python_minifier import RemoveAnnotationsOptions, minify

PACKAGE: Final = "modelcar"
# What JSON in Go writes as six characters (<, >, &), and what Argo and KFP take for a template.
_STRANGE, _PLAIN = "<>&{}$", ",.:[]/"


def modules(source: Path, body: str) -> tuple[str, ...]:
    """Return the modules of the package that `body` imports, and those that they import."""
    found: set[str] = set()
    waiting = list(_imported(source, ast.parse(textwrap.dedent(body))))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            tree = ast.parse(_file(source, name).read_text(encoding="utf-8"))
            waiting += [*_parents(name), *_imported(source, tree)]
    return tuple(sorted(found))


def archive(source: Path, names: Iterable[str]) -> str:
    """Return the modules and their templates as a tar.bz2 without clocks or owners, in text.

    They are made small, and bzip2 packs such texts best: Argo keeps each component's text about
    five times in an object of 1 MB. Base 85 is a sixteenth shorter than base 64.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for name in names for path in _files(source, name)):
            text = path.read_text(encoding="utf-8")
            data = (_small(text) if path.suffix == ".py" else text).encode()
            entry = tarfile.TarInfo(path.relative_to(source).as_posix())
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    packed = bz2.compress(content.getvalue())
    return base64.b85encode(packed).decode().translate(str.maketrans(_STRANGE, _PLAIN))


def decoding(text: str) -> str:
    """Return the Python expression for the bytes of an archive, `text` being one for its text."""
    plain = f"str.maketrans({_PLAIN!r}, {_STRANGE!r})"
    return f"b85decode({text}.translate({plain}))"


def unpacked(text: str) -> bytes:
    """Return the tar.bz2 that `archive` wrote as `text`."""
    return base64.b85decode(text.translate(str.maketrans(_PLAIN, _STRANGE)))


def _imported(source: Path, tree: ast.AST) -> Iterator[str]:
    for node in _running(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if _is_module(source, name))


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk `node`, but not what stands below `if TYPE_CHECKING`, which never runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)


def _is_module(source: Path, name: str) -> bool:
    return name.split(".")[0] == PACKAGE and _file(source, name).is_file()


def _file(source: Path, name: str) -> Path:
    path = source.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _files(source: Path, name: str) -> Iterator[Path]:
    path = _file(source, name)
    yield path
    yield from path.parent.glob(f"{path.stem}.*.j2")


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _small(text: str) -> str:
    """Return `text` without docstrings, comments and annotations; local names become short.

    So do those with an underscore, which by our rules no other module uses.
    """
    annotations = RemoveAnnotationsOptions(
        remove_variable_annotations=True,
        remove_return_annotations=True,
        remove_argument_annotations=True,
        remove_class_attribute_annotations=False,  # dataclasses live by them
    )
    return minify(
        text,
        remove_annotations=annotations,
        remove_literal_statements=True,
        hoist_literals=False,
        rename_locals=True,
        rename_globals=True,
        preserve_globals=sorted(_public(ast.parse(text))),
    )


def _public(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.Name(id=name):
                names.add(name)
            case ast.alias(name=name, asname=other):
                names.add(other or name.partition(".")[0])
    return {name for name in names if not name.startswith("_")}
