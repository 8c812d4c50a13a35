"""The catalog: one YAML file a model, checked at the edge, read as `values.Model`."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ruamel.yaml import YAML, ScalarNode

from modelcar import atomic, faults, site
from modelcar.entry import Entry
from modelcar.errors import CatalogError, UsageError
from modelcar.names import model_of
from modelcar.values import FileRules, Model, ModelSource, Serving


def load(path: Path, *, pinned: bool = True) -> Model:
    """Read one catalog file; raise CatalogError with all its faults.

    Unless `pinned`, the model stands at its revision even where a commit is written.
    """
    return _model(faults.read(path), pinned=pinned)


def find(model: str, folder: Path = Path("models"), *, pinned: bool = True) -> Model:
    """Return the model of a catalog name, a path to a catalog file, or a URI, as `load` does.

    Raises CatalogError, and ReferenceError_ for a URI that cannot be read.
    """
    if "://" in model:
        return model_of(model)
    return load(path_of(model, folder), pinned=pinned)


def path_of(model: str, folder: Path = Path("models")) -> Path:
    """Return the catalog file of a name or a path; raise CatalogError when there is none."""
    if "://" in model:
        raise CatalogError((f"{model}: a URI has no catalog file; name a model in {folder}/",))
    if model.endswith((".yaml", ".yml")) or Path(model).is_file():
        return Path(model)
    if "/" in model:
        raise CatalogError((f"{model}: no such file; a model of the Hub is hf://{model}",))
    path = folder / f"{model}.yaml"
    if not path.is_file():
        raise CatalogError((_no_model(model, folder),))
    return path


def check(paths: Sequence[Path]) -> None:
    """Check catalog and site files; raise one CatalogError with every fault of every file."""
    found: list[str] = []
    names: dict[str, Path] = {}
    for path in paths:
        try:
            found.extend(_check(path, names))
        except CatalogError as error:
            found.extend(error.faults)
    if found:
        raise CatalogError(tuple(found))


def pin(path: Path, commit: str) -> None:
    """Write `commit` into a catalog file and leave every other byte as it stands.

    Raises CatalogError where the file has faults, before and after; UsageError where it cannot be
    written.
    """
    document = faults.read(path)
    _model(document)
    text = _with_commit(document.text, commit)
    pinned = _model(faults.parse(path, text))
    if pinned.source.revision != commit:
        what = f"{path}: commit"
        raise UsageError(what, f"{commit!r} cannot be written there", f'write commit: "{commit}"')
    if text == document.text:
        return
    try:
        atomic.write(path, text)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"writing {path}", why, "check the folder's rights and room") from error


def _model(document: faults.Document, *, pinned: bool = True) -> Model:
    entry = document.validate(Entry)
    revision = entry.commit if pinned and entry.commit else entry.revision
    return Model(
        name=entry.name,
        version=entry.version,
        source=ModelSource.parse(entry.source).at(revision),
        description=entry.description,
        rules=FileRules(**entry.files.model_dump()),
        serving=Serving(**entry.serving.model_dump()),
    )


def _no_model(model: str, folder: Path) -> str:
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    close = difflib.get_close_matches(model, known, n=1)
    remedy = f"did you mean {close[0]}?" if close else _else(known)
    return f"{folder / model}.yaml: no such model; {remedy}"


def _else(known: Sequence[str]) -> str:
    return f"known: {', '.join(known)}" if known else "`modelcar init hf://org/name` writes one"


def _check(path: Path, names: dict[str, Path]) -> Iterator[str]:
    document = faults.read(path)
    if _is_site(document):
        document.validate(site.SiteFile)
        return
    name = _model(document).name
    first = names.setdefault(name, path)
    if first is not path:
        yield f"{path}: name: {name!r} is the name in {first} too; choose another"


def _is_site(document: faults.Document) -> bool:
    """Tell by the fields, which the two schemas share none of; by the file's name in doubt."""
    fields = set(document.tree)
    site_like = len(fields & set(site.SiteFile.model_fields))
    model_like = len(fields & set(Entry.model_fields))
    by_name = document.path.name.startswith("site")
    return site_like > model_like or (site_like == model_like and by_name)


def _with_commit(text: str, commit: str) -> str:
    root = YAML().compose(text)
    nodes = {key.value: (key, value) for key, value in root.value}
    quoted = f'"{commit}"'
    if "commit" not in nodes:
        _, before = nodes.get("revision") or nodes["source"]
        return _insert_line(text, before.end_mark.index, f"commit: {quoted}")
    key, value = nodes["commit"]
    if isinstance(value, ScalarNode) and not value.value and not value.style:
        # An empty value has no place of its own; it belongs behind its colon.
        colon = text.index(":", key.end_mark.index) + 1
        return f"{text[:colon]} {quoted}{text[colon:]}"
    return text[: value.start_mark.index] + quoted + text[value.end_mark.index :]


def _insert_line(text: str, after: int, line: str) -> str:
    ending = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", after)
    if end < 0:
        return f"{text}{ending}{line}{ending}"
    return f"{text[: end + 1]}{line}{ending}{text[end + 1 :]}"
