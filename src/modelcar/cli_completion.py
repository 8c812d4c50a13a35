"""What a shell completes: verbs and options by click, models and site files by what lies here."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from modelcar.cli_options import common_options, show

_VARIABLE: Final = "_MODELCAR_COMPLETE"
_SHELLS: Final = ("bash", "zsh", "fish")
Complete = Callable[[str], Iterator[str]]


@click.command()
@common_options
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print what makes SHELL complete verbs, options, models and site files."""
    root = ctx.find_root()
    made = get_completion_class(shell)
    assert made  # noqa: S101  click knows all three
    script = made(root.command, {}, "modelcar", _VARIABLE).source()
    show(script.strip(), {"shell": shell, "script": script}, as_json)


def teach(group: click.Group) -> None:
    """Have every verb of the group complete its MODEL and its --site."""
    for verb in group.commands.values():
        for param in verb.params:
            if isinstance(param, click.Argument) and param.name == "model":
                param.type = _Taught(param.type, models)
            elif "--site" in param.opts:
                param.type = _Taught(param.type, sites)


class _Taught(click.ParamType[Any]):
    """A type that takes what another takes, and completes what lies in this folder."""

    def __init__(self, kind: click.ParamType[Any], found: Complete) -> None:
        self._kind, self._found, self.name = kind, found, kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the other type makes of it."""
        return self._kind.convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return what begins so; of a path, what the shell finds."""
        if "://" in incomplete:
            return []
        if "/" in incomplete or incomplete.startswith((".", "~")):
            return [CompletionItem(incomplete, type="file")]
        found = (text for text in self._found(incomplete) if text.startswith(incomplete))
        return [CompletionItem(text) for text in found]


def models(incomplete: str) -> Iterator[str]:
    """Yield the names of the catalog, and where there is something to go by, YAML files."""
    yield from (path.stem for path in sorted(Path("models").glob("*.yaml")))
    if incomplete:
        yield from (path.name for path in _yaml() if not path.name.startswith("site"))


def sites(_: str) -> Iterator[str]:
    """Yield the YAML files here, those first that are named as site files are."""
    files = sorted(_yaml(), key=lambda path: (not path.name.startswith("site"), path.name))
    yield from (path.name for path in files)


def _yaml() -> list[Path]:
    return sorted(path for path in Path().glob("*.y*ml") if path.suffix in (".yaml", ".yml"))
