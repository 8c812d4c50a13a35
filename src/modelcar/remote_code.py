"""Which Python files of a model its configs name, for transformers to run as remote code."""

from collections.abc import Collection, Iterator, Sequence
from posixpath import dirname, join
from typing import Any

from modelcar.listing import Listing
from modelcar.wording import line

_CONFIGS = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "modules.json",
)


def remote_code(listing: Listing, kept: Collection[str]) -> tuple[set[str], tuple[str, ...]]:
    """Return the Python files among `kept` that no config names, and warnings about named ones.

    A config that names one file keeps all of its folder, since they import one another.
    Only config.json is read in a folder without Python files.
    """
    code = {path for path in kept if path.lower().endswith(".py")}
    folders = {dirname(path) for path in code}
    told = {folder for folder in folders if any(join(folder, name) in kept for name in _CONFIGS)}
    listing.hold_few(told, "configs lie beside Python files")
    warnings: list[str] = []
    named: set[str] = set()
    for folder in sorted({"", *folders}):
        for config in _CONFIGS if folder in folders else _CONFIGS[:1]:
            path = join(folder, config)
            classes = sorted(set(_classes(listing, path))) if path in kept else []
            warnings += _warnings(path, classes)
            if any("--" not in name for name in classes):
                named.add(folder)
    return {file for file in code if dirname(file) not in named}, tuple(warnings)


def _classes(listing: Listing, path: str) -> Iterator[str]:
    """Yield the classes of an `auto_map`, or of sentence-transformers' own module list."""
    config = listing.json(path)
    if isinstance(config, dict):
        yield from _names(config.get("auto_map"))
    for module in config if isinstance(config, list) else []:
        for name in _names(module.get("type") if isinstance(module, dict) else None):
            file = join(dirname(path), name.partition(".")[0] + ".py")
            if "--" in name or file in listing.files:
                yield name


def _names(value: Any) -> Iterator[str]:
    """Yield every text in `value`, which may be one, a list or an object of such."""
    left = [value]  # no recursion: it may be nested as deeply as a parser takes
    while left:
        match left.pop():
            case str(text):
                yield text
            case list(items):
                left += items
            case dict(fields):
                left += fields.values()


def _warnings(path: str, classes: Sequence[str]) -> Iterator[str]:
    own = [name for name in classes if "--" not in name]
    others = sorted({name.partition("--")[0] for name in classes if "--" in name})
    if own:
        yield f"{path} names remote code ({_told(own)}): vLLM needs --trust-remote-code"
    if others:
        yield (
            f"{path} names code of another repository ({_told(others)}):"
            " vLLM needs --trust-remote-code, and fetches it when it starts"
        )


def _told(names: Sequence[str]) -> str:
    return line(", ".join(names))
