"""What the verbs share: options, and the wiring from them to the library."""

import io
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from modelcar import cli_help, interrupts, wording
from modelcar.errors import ModelCarError
from modelcar.farewell import Farewell

if TYPE_CHECKING:
    from modelcar.hub import Hub
    from modelcar.model_registry import Connection
    from modelcar.site import Site
    from modelcar.values import Model
    from modelcar.view import View
    from modelcar.workfolder import WorkFolder

Verb = TypeVar("Verb", bound=Callable[..., Any])
Connect = Callable[..., "Connection | None"]
REFERENCE = "host/repository:tag or oci:FOLDER:TAG"


class Group(click.Group):
    """Turns our errors into one line on standard error and an exit code.

    An interrupt says what stands and how to go on, and exits 130, as shells expect; SIGTERM 143.
    """

    def main(self, *given: Any, **options: Any) -> Any:
        """Run the command line, which is ended by signals from here on."""
        farewell = Farewell()
        _show_all()
        with interrupts.heeded(farewell.leave):
            try:
                return super().main(*given, obj=farewell, **options)
            except KeyboardInterrupt as error:  # before or after a verb
                farewell.leave(getattr(error, "exit_code", 130))

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Take the arguments apart; an interrupt is heeded here too."""
        farewell: Farewell = extra.get("obj") or Farewell()
        farewell.typed(info_name or "modelcar", args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except KeyboardInterrupt as error:
            farewell.leave(getattr(error, "exit_code", 130))

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a verb, with its few words and its example."""
        cli_help.explain(cmd, name or cmd.name or "")
        super().add_command(cmd, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by what they are for."""
        widest = max(map(len, self.commands), default=0)
        for title, verbs in cli_help.placed(self.commands):
            texts = [self.commands[name].get_short_help_str(100) for name in verbs]
            if verbs:
                with formatter.section(title):
                    names = [name.ljust(widest) for name in verbs]
                    formatter.write_dl([*zip(names, texts, strict=True)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except ModelCarError as error:
            notes = [f"  {note}" for note in getattr(error, "__notes__", ())]
            click.echo(wording.shown("\n".join([f"modelcar: {error}", *notes])), err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt as error:
            ctx.ensure_object(Farewell).leave(getattr(error, "exit_code", 130))


def common_options(verb: Verb) -> Verb:
    """Add --json and -v."""
    verb = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(verb)
    return click.option(
        "-v", "--verbose", is_flag=True, callback=_log, expose_value=False, help="Log more."
    )(verb)


def model_options(verb: Verb) -> Verb:
    """Add the argument MODEL and what says which of its files are taken."""
    options = (
        click.argument("model"),
        click.option("--include", multiple=True, metavar="GLOB", help="Take these files too."),
        click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these files out."),
        click.option(
            "--allow-pickle", is_flag=True, help="Take pickle weights if there are none other."
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


workdir_option = click.option(
    "--workdir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where files and what is known of them are kept; else MODELCAR_WORKDIR or the cache.",
)


image_option = click.option(
    "--image", required=True, metavar="REF@sha256:…", help="The image, by its digest."
)


def model_registry_options(verb: Verb) -> Verb:
    """Add which Model Registry is meant; gives `connect`, which finds the connection when called.

    Its argument is the site that names a Model Registry where no option does.
    """

    @wraps(verb)
    def connected(model_registry: str, model_registry_ca: str, **given: Any) -> Any:
        def connect(site: "Site | None" = None) -> "Connection | None":
            from modelcar import cluster
            from modelcar.model_registry import configured

            url, ca = model_registry, model_registry_ca
            if site is not None and not url:
                url, ca = site.model_registry, ca or site.model_registry_ca
            return configured(url, ca, own_token=cluster.bearer_token)

        return verb(connect=connect, **given)

    ca = click.option(
        "--model-registry-ca", default="", metavar="FILE", help="CA certificates it is signed by."
    )
    address = click.option(
        "--model-registry",
        envvar="MODEL_REGISTRY_URL",
        default="",
        metavar="URL",
        help="The Model Registry.",
    )
    return cast(Verb, address(ca(connected)))


def site_file(path: Path | None = None) -> "Site":
    """Return the site file's content, without `path` that of site.yaml if there is one."""
    from modelcar.site import Site, load_site

    here = Path("site.yaml")
    return load_site(path or here) if path or here.is_file() else Site()


def site_hub(site: "Site") -> "Hub":
    """Return the Hub that the site file names, else that of HF_ENDPOINT."""
    from modelcar.hub import Hub
    from modelcar.site import Site

    return Hub("" if site.hub == Site().hub else site.hub)


def chosen_model(
    model: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    allow_pickle: bool,
    *,
    pinned: bool = True,
) -> "Model":
    """Return the model that MODEL and its options name; unless `pinned`, at its branch."""
    from modelcar.names import model_of

    if "://" in model:
        found = model_of(model)  # the catalog's schema takes longer to import than a check to run
    else:
        from modelcar import catalog

        found = catalog.find(model, pinned=pinned)
    rules = replace(
        found.rules,
        include=(*found.rules.include, *include),
        exclude=(*found.rules.exclude, *exclude),
        allow_pickle=allow_pickle or found.rules.allow_pickle,
    )
    return replace(found, rules=rules)


def model_name(model: str) -> str:
    """Return a model's name: the catalog's for a file or a URI, else as it stands."""
    from modelcar import catalog

    named = "://" in model or model.endswith((".yaml", ".yml"))
    return catalog.find(model).name if named else model


def work_folder(folder: Path | None) -> "WorkFolder":
    """Return the work folder named, or the default one."""
    from modelcar.workfolder import WorkFolder

    return WorkFolder(folder.absolute()) if folder else WorkFolder.default()


def shown_view(*stages: str) -> "View":
    """Return what shows these stages: live on a terminal, by lines elsewhere.

    A single stage leaves no line.
    """
    from modelcar.view import Lines, Unseen

    view: View = Lines() if len(stages) > 1 else Unseen()
    if steerable():
        from modelcar.live import Live

        view = Live(stages, lasting=len(stages) > 1)
    click.get_current_context().ensure_object(Farewell).view = view
    return view


def steerable() -> bool:
    """Return whether standard error is a terminal, of some size, whose cursor can be moved."""
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    from rich.console import Console

    return min(Console(stderr=True).size) > 0  # COLUMNS and LINES may say 0


def _show_all() -> None:
    """Have a character that the encoding of a stream lacks shown as `?`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Echo(logging.Handler):
    """Writes to whatever standard error is now: above the bars while they are shown."""

    def emit(self, record: logging.LogRecord) -> None:
        # click.echo would go past what stands in for standard error meanwhile.
        with interrupts.kept_off():
            sys.stderr.write(wording.shown(self.format(record)) + "\n")


def _log(_: click.Context, __: click.Parameter, verbose: bool) -> None:
    logging.basicConfig(handlers=[_Echo()], format="%(message)s", level=logging.WARNING)
    logging.getLogger("modelcar").setLevel(logging.DEBUG if verbose else logging.INFO)


def verbose() -> bool:
    """Return whether -v was given."""
    return logging.getLogger("modelcar").getEffectiveLevel() <= logging.DEBUG


def show(text: str, value: Any, as_json: bool) -> None:
    """Print a result: `text` for people, `value` for scripts."""
    if as_json:
        show_json(value)
    else:
        click.echo(wording.shown(text))


def show_json(value: Any) -> None:
    """Print a result as JSON."""
    click.echo(json.dumps(value, indent=2))
