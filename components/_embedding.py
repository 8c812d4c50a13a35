"""The archive of what a component carries: the same bytes on every machine."""

import ast
import base64
import bz2
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from python_minifier import RemoveAnnotationsOptions, minify

from components._reaching import file_of, templates

# What JSON in Go writes as six characters (<, >, &), and what Argo and KFP take for a template.
_STRANGE, _PLAIN = "<>&{}$", ",.:[]/"
_ORDERS = 24


def archive(source: Path, texts: Mapping[str, str]) -> str:
    """Return modules, by their names, and their templates as one text, packed and spelled out.

    Each is its path and its text, with a NUL between them and before the next: the headers of a tar
    would be one part in fifty. They are made small, and bzip2 packs such texts best: Argo keeps
    each component's text about five times in an object of 1 MB. Base 85 is a sixteenth shorter
    than base 64.
    """
    files = sorted(
        (path.relative_to(source).as_posix(), text) for path, text in _files(source, texts)
    )
    # By chance some orders pack up to half a percent better than others.
    orders = (files[first:] + files[:first] for first in range(min(len(files), _ORDERS)))
    packed = min((bz2.compress(_joined(order)) for order in orders), key=len)
    return base64.b85encode(packed).decode().translate(str.maketrans(_STRANGE, _PLAIN))


def _joined(files: Sequence[tuple[str, str]]) -> bytes:
    parts = [part for file in files for part in file]
    if any("\0" in part for part in parts):
        raise ValueError("a source holds a NUL: write it as \\0")
    return "\0".join(parts).encode()


def decoding(text: str) -> str:
    """Return the Python expression for the bytes of an archive, `text` being one for its text."""
    plain = f"str.maketrans({_PLAIN!r}, {_STRANGE!r})"
    return f"b85decode({text}.translate({plain}))"


def unpacked(text: str) -> bytes:
    """Return the bytes that `archive` wrote as `text`: packed by bzip2."""
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
    tree = ast.fix_missing_locations(_PlainQuotes().visit(ast.parse(text)))
    return minify(
        ast.unparse(tree),
        remove_annotations=annotations,
        remove_literal_statements=True,
        hoist_literals=False,
        rename_locals=True,
        rename_globals=True,
        preserve_globals=sorted(_public(ast.parse(text))),
    )


class _PlainQuotes(ast.NodeTransformer):
    """Writes an f-string that holds a string within its braces as `"…".format(…)`.

    The minifier gives that string the quotes of the f-string itself where the Python that runs
    it can read them, from 3.12 on: the same sources would compile to other bytes.
    """

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        self.generic_visit(node)
        values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        if not any(_is_text(one) for value in values for one in ast.walk(value)):
            return node
        form = ast.Constant("".join(map(_field, node.values)))
        return ast.Call(ast.Attribute(form, "format", ast.Load()), values, [])


def _is_text(node: ast.AST) -> bool:
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    return constant or isinstance(node, ast.JoinedStr)


def _field(part: ast.expr) -> str:
    """Return what stands for a part of an f-string in a text that is formatted.

    Raises ValueError where a width or precision is a value itself: write it another way.
    """
    if not isinstance(part, ast.FormattedValue):
        return str(ast.literal_eval(part)).replace("{", "{{").replace("}", "}}")
    conversion = f"!{chr(part.conversion)}" if part.conversion >= 0 else ""
    spec = part.format_spec.values if isinstance(part.format_spec, ast.JoinedStr) else []
    wanted = "".join(str(ast.literal_eval(one)) for one in spec)
    return f"{{{conversion}:{wanted}}}" if wanted else f"{{{conversion}}}"


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
