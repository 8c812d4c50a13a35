"""The options of the verbs that ask a pipelines server, and what they stand for."""

from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from modelcar.cli_options import Verb, site_file

if TYPE_CHECKING:
    from modelcar.dsp.compiled_file import CompiledFile
    from modelcar.dsp.server import PipelinesServer
    from modelcar.site import Site

_COMPILED: Final = Path("compiled", "modelcar.yaml")
_OVERLAPPED: Final = Path("compiled", "modelcar-overlapped.yaml")
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Place:
    """The site, and the namespace and address that options name."""

    site: "Site"
    namespace: str
    endpoint: str = field(repr=False)  # it may hold credentials, which are refused

    def server(self) -> "PipelinesServer":
        """Find the server; raise what `address.find` does, and UsageError without kfp."""
        from modelcar.dsp import address
        from modelcar.dsp.server import PipelinesServer, library

        library()
        return PipelinesServer(address.find(self.endpoint, self.namespace))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The compiled file that options name, and what a run is told besides model and site."""

    path: Path
    experiment: str
    skip_preflight: bool
    said: dict[str, bool]

    def compiled(self) -> "CompiledFile":
        """Read the file; raise UsageError for one that is no compiled pipeline."""
        from modelcar.dsp import compiled_file

        return compiled_file.read(self.path)


def server_options(verb: Verb) -> Verb:
    """Add which server is meant; gives `place`."""

    @wraps(verb)
    def placed(site_path: Path | None, namespace: str, endpoint: str, **given: Any) -> Any:
        site = site_file(site_path)
        where = namespace or site.namespace
        return verb(place=Place(replace(site, namespace=where), where, endpoint), **given)

    options = (
        click.option("--site", "site_path", type=_FILE, help="The site file; else site.yaml."),
        click.option(
            "-n", "--namespace", default="", help="Which; else the site file's, or the current one."
        ),
        click.option(
            "--endpoint",
            envvar="MODELCAR_PIPELINES_URL",
            default="",
            metavar="URL",
            help="The pipelines server; else that of the namespace.",
        ),
    )
    for option in reversed(options):
        placed = option(placed)
    return cast(Verb, placed)


def pipeline_options(verb: Verb) -> Verb:
    """Add which compiled file is meant and how it is to run; gives `pipeline`."""

    @wraps(verb)
    def told(
        path: Path | None,
        overlapped: bool,
        experiment: str,
        skip_preflight: bool,
        follow: bool,
        move_version: bool,
        ignore_fit: bool,
        **given: Any,
    ) -> Any:
        if path and overlapped:
            raise click.UsageError("--pipeline and --overlapped name two files; give one of them")
        said = {"follow": follow, "move_version": move_version, "ignore_fit": ignore_fit}
        said["skip_preflight"] = skip_preflight
        file = path or (_OVERLAPPED if overlapped else _COMPILED)
        return verb(pipeline=Pipeline(file, experiment, skip_preflight, said), **given)

    options = (
        click.option("--pipeline", "path", type=_FILE, help=f"What to run; else {_COMPILED}."),
        click.option("--overlapped", is_flag=True, help=f"Run {_OVERLAPPED}."),
        click.option("--experiment", default="", metavar="NAME", help="Else the model's name."),
        click.option("--skip-preflight", is_flag=True, help="Check nothing before, here or there."),
        click.option("--follow", is_flag=True, help="Take the branch; register VERSION-COMMIT7."),
        click.option("--move-version", is_flag=True, help="Move the version to another digest."),
        click.option("--ignore-fit", is_flag=True, help="Go on where it does not fit the GPUs."),
    )
    for option in reversed(options):
        told = option(told)
    return cast(Verb, told)
