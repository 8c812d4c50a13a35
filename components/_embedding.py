"""The archive of what a component carries: the same bytes on every machine."""

import ast
import base64
import bz2
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from python_minifier import RemoveAnnotationsOptions, minify

from components._reaching import file_of, templates

# What JSON in Go writes as six characters (<, >, &), and what Argo and KFP take for a template.
_STRANGE, _PLAIN = "<>&{}$", ",.:[]/"


def archive(source: Path, texts: Mapping[str, str]) -> str:
    """Return modules, by their names, and their templates as a tar.bz2 without clocks, in text.

    They are made small, and bzip2 packs such texts best: Argo keeps each component's text about
    five times in an object of 1 MB. Base 85 is a sixteenth shorter than base 64.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, text in sorted(_files(source, texts)):
            entry = tarfile.TarInfo(path.relative_to(source).as_posix())
            entry.size, entry.mode = len(text.encode()), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed = bz2.compress(content.getvalue())
    return base64.b85encode(packed).decode().translate(str.maketrans(_STRANGE, _PLAIN))


def decoding(text: str) -> str:
    """Return the Python expression for the bytes of an archive, `text` being one for its text."""
    plain = f"str.maketrans({_PLAIN!r}, {_STRANGE!r})"
    return f"b85decode({text}.translate({plain}))"


def unpacked(text: str) -> bytes:
    """Return the tar.bz2 that `archive` wrote as `text`."""
    return base64.b85decode(text.translate(str.maketrans(_PLAIN, _STRANGE)))


def _files(source: Path, texts: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for name, text in texts.items():
        path = file_of(source, name)
        yield path, _small(text)
        yield from ((one, one.read_text(encoding="utf-8")) for one in templates(path))


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
