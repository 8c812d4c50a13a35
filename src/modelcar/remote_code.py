"""Which Python files of a model its configs name, for transformers to run as remote code."""

from collections.abc import Collection, Iterator, Sequence
from posixpath import dirname, join
from typing import Any

from modelcar.listing import Listing

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
    warnings: list[str] = []
    for folder in sorted({"", *folders}):
        for config in _CONFIGS if folder in folders else _CONFIGS[:1]:
            path = join(folder, config)
            classes = sorted(set(_classes(listing, path))) if path in kept else []
            warnings += _warnings(path, classes)
            if any("--" not in name for name in classes):
                code = {file for file in code if dirname(file) != folder}
    return code, tuple(warnings)


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
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _names(item)


def _warnings(path: str, classes: Sequence[str]) -> Iterator[str]:
    own = [name for name in classes if "--" not in name]
    others = sorted({name.partition("--")[0] for name in classes if "--" in name})
    if own:
        yield f"{path} names remote code ({', '.join(own)}): vLLM needs --trust-remote-code"
    if others:
        yield (
            f"{path} names code of another repository ({', '.join(others)}):"
            " vLLM needs --trust-remote-code, and fetches it when it starts"
        )
