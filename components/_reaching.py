"""What of the library a component's body reaches: these statements are carried, and no other."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGE: Final = "modelcar"
_DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef
_PLAIN_BASES: Final = {"Exception"}


def reached(source: Path, body: str) -> dict[str, str]:
    """Return the text of each module that `body`, a function's source, runs: by module's name.

    A module's statement stays when a name that it binds may be used, a class's method when some
    attribute of its name is. What is imported but never used goes. Names decide, not values: it
    may keep too much, and nothing that runs is lost.
    """
    search = _Search(source)
    search.scan(None, ast.parse(body))
    return {name: module.text() for name, module in sorted(search.modules.items())}


def file_of(source: Path, name: str) -> Path:
    """Return where the module of that name lies."""
    path = source.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def templates(path: Path) -> Iterator[Path]:
    """Yield the templates that belong to the module in `path`."""
    yield from path.parent.glob(f"{path.stem}.*.j2")


@dataclass
class _Module:
    """One module: its statements, which of them are kept, and which names of imports."""

    name: str
    lines: list[str]
    statements: list[ast.stmt]
    binding: dict[str, list[int]]
    """Where each name is bound: the places of the statements."""
    kept: set[int] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    left_out: list[ast.stmt] = field(default_factory=list)
    """The methods of kept classes that nobody may call."""

    def text(self) -> str:
        gone = {line for node in self.left_out for line in _lines(node)}
        parts = []
        for place in sorted(self.kept):
            node = self.statements[place]
            if isinstance(node, ast.Import | ast.ImportFrom):
                parts.append(self._import(node))
            else:
                parts += [self.lines[line] for line in _lines(node) if line not in gone]
        return "\n".join([*parts, ""])

    def _import(self, node: ast.Import | ast.ImportFrom) -> str:
        names = [alias for alias in node.names if _bound(alias) in self.imported]
        if isinstance(node, ast.Import):
            return ast.unparse(ast.Import(names))
        return ast.unparse(ast.ImportFrom(node.module, names, node.level))


class _Search:
    """Follows names from statement to statement, until nothing new is found."""

    def __init__(self, source: Path) -> None:
        self.modules: dict[str, _Module] = {}
        self._source = source
        self._attributes: set[str] = set()
        self._waiting: dict[str, list[tuple[_Module, ast.stmt]]] = {}

    def scan(self, module: _Module | None, node: ast.AST) -> None:
        """Keep what `node`, a statement that runs, may use."""
        modules = {**self._modules_in(module), **self._late(node)}
        owned: set[int] = set()
        for child in _running(node):
            if isinstance(child, ast.Attribute):
                self._used(child.attr)
                if isinstance(child.value, ast.Name) and child.value.id in modules:
                    owned.add(id(child.value))
                    self._want(modules[child.value.id], child.attr)
        for child in _running(node):
            if isinstance(child, ast.Name):
                if module is not None:
                    self._want(module.name, child.id)
                # A module that is handed on as a value may be asked for anything.
                if child.id in modules and id(child) not in owned:
                    self._want_all(modules[child.id])

    def _want(self, name: str, wanted: str) -> None:
        """Keep what binds `wanted` in a module: a statement, or a module of that name within."""
        module = self._load(name)
        if self._is_module(f"{name}.{wanted}"):
            self._load(f"{name}.{wanted}")
        for place in module.binding.get(wanted, ()):
            if isinstance(module.statements[place], ast.Import | ast.ImportFrom):
                self._keep_import(module, place, wanted)
            else:
                self._keep(module, place)

    def _want_all(self, name: str) -> None:
        for wanted in self._load(name).binding:
            self._want(name, wanted)

    def _keep(self, module: _Module, place: int) -> None:
        if place in module.kept:
            return
        module.kept.add(place)
        node = module.statements[place]
        methods = list(_uncertain(node))
        for method in methods:
            self._postpone(module, method)
        for part in _without(node, methods):
            self.scan(module, part)

    def _keep_import(self, module: _Module, place: int, wanted: str) -> None:
        if wanted in module.imported:
            return
        module.kept.add(place)
        module.imported.add(wanted)
        for _ in self._late(module.statements[place], only=wanted):
            pass

    def _postpone(self, module: _Module, method: ast.stmt) -> None:
        name = next(iter(_names(method)))
        if name in self._attributes:
            self.scan(module, method)
        else:
            module.left_out.append(method)
            self._waiting.setdefault(name, []).append((module, method))

    def _used(self, attribute: str) -> None:
        self._attributes.add(attribute)
        for module, method in self._waiting.pop(attribute, ()):
            module.left_out.remove(method)
            self.scan(module, method)

    def _late(self, node: ast.AST, only: str = "") -> dict[str, str]:
        """Follow the imports in `node`; return the modules that they bind, by their names there."""
        bound: dict[str, str] = {}
        for child in _running(node):
            if not isinstance(child, ast.Import | ast.ImportFrom):
                continue
            for alias in child.names:
                if only in ("", _bound(alias)):
                    bound.update(self._import(child, alias))
        return bound

    def _import(self, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> dict[str, str]:
        origin = node.module if isinstance(node, ast.ImportFrom) else None
        name = f"{origin}.{alias.name}" if origin else alias.name
        if self._is_module(name):
            self._load(name)
            if origin or alias.asname:
                return {_bound(alias): name}
            self._want_all(name)  # it is used by its whole path
        if origin and self._is_module(origin):
            self._want(origin, alias.name)
        return {}

    def _modules_in(self, module: _Module | None) -> dict[str, str]:
        """Return the modules that a module's own imports bind, by their names there."""
        found: dict[str, str] = {}
        for node in module.statements if module else ():
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if self._is_module(name := f"{node.module}.{alias.name}"):
                        found[_bound(alias)] = name
        return found

    def _load(self, name: str) -> _Module:
        if name not in self.modules:
            if "." in name:
                self._load(name.rpartition(".")[0])
            path = file_of(self._source, name)
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text).body
            module = _Module(name, text.splitlines(), tree, _binding(tree))
            self.modules[name] = module
            for template in templates(path):
                for word in re.findall(r"[A-Za-z_]\w*", template.read_text(encoding="utf-8")):
                    self._used(word)
            for place, node in enumerate(tree):
                if _runs_at_once(node):
                    self._keep(module, place)
        return self.modules[name]

    def _is_module(self, name: str) -> bool:
        return name.split(".")[0] == PACKAGE and file_of(self._source, name).is_file()


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield `node` and all below, but for what only a type checker reads."""
    if not _for_types(node):
        yield node
        for child in _below(node):
            yield from _running(child)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in `node`; annotations only of a class's fields, by which it lives."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            defaults = (one for one in (*node.args.defaults, *node.args.kw_defaults) if one)
            yield from (*node.decorator_list, *defaults, *node.body)
        case ast.ClassDef():
            yield from (*node.decorator_list, *node.bases, *node.keywords)
            for child in node.body:
                yield from _in_class(child)
        case ast.AnnAssign():
            yield from (node.target, *([node.value] if node.value else ()))
        case _:
            yield from ast.iter_child_nodes(node)


def _in_class(node: ast.stmt) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, ast.AnnAssign):
        yield node.annotation


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _runs_at_once(node: ast.stmt) -> bool:
    """Return whether a statement does more than to bind a name."""
    words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return not (_names(node) or words or _for_types(node))


def _names(node: ast.AST) -> set[str]:
    """Return the names that a statement of a module or class binds."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {_bound(alias) for alias in aliases}
        case ast.Assign(targets=targets):
            return _stored(targets)
        case ast.AnnAssign(target=target):
            return _stored([target])
    return set()


def _binding(statements: list[ast.stmt]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, node in enumerate(statements):
        for name in _names(node):
            found.setdefault(name, []).append(place)
    return found


def _stored(targets: Iterable[ast.AST]) -> set[str]:
    nodes = (node for target in targets for node in ast.walk(target))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _uncertain(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the methods that only their name calls: of a class that no library calls back."""
    if not isinstance(node, ast.ClassDef):
        return
    bases = {ast.unparse(base) for base in node.bases}
    if bases - _PLAIN_BASES and not all(base.endswith("Error") for base in bases):
        return
    for child in node.body:
        if isinstance(child, _DEFINITION) and not child.name.startswith("__"):
            yield child


def _without(node: ast.stmt, methods: list[ast.stmt]) -> Iterator[ast.AST]:
    if not methods:
        yield node
        return
    assert isinstance(node, ast.ClassDef)  # noqa: S101  only classes have methods
    yield from (*node.decorator_list, *node.bases, *node.keywords)
    for child in node.body:
        if child not in methods:
            yield from _in_class(child)


def _lines(node: ast.stmt) -> range:
    decorators = getattr(node, "decorator_list", ())
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return range(first - 1, node.end_lineno or first)
