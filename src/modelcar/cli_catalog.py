"""The verbs of the catalog: `check`, `pin`, `init` and `schema`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelcar.cli_options import (
    chosen_model,
    common_options,
    model_options,
    show,
    show_json,
    work_folder,
    workdir_option,
)
from modelcar.errors import UsageError

if TYPE_CHECKING:
    from modelcar.new_entry import NewEntry


@click.command()
@common_options
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Validate catalog and site FILES, all faults at once; else those of this folder."""
    from modelcar import catalog

    chosen = files or (*sorted(Path("models").glob("*.yaml")), *sorted(Path().glob("site*.yaml")))
    catalog.check(chosen)
    if as_json:
        show_json({"files": [str(path) for path in chosen], "faults": []})


@click.command()
@common_options
@click.argument("model")
def pin(model: str, as_json: bool) -> None:
    """Resolve the revision and write its commit into MODEL's catalog file."""
    from modelcar import catalog
    from modelcar.hub import Hub

    path = catalog.path_of(model)
    commit = Hub().listing(catalog.load(path, pinned=False).source).commit
    catalog.pin(path, commit)
    show(commit, {"file": str(path), "commit": commit}, as_json)


@click.command()
@common_options
@model_options
@click.option("--name", default="", help="The model's name; else made of the repository's.")
@click.option("--version", default="1.0", show_default=True, help="The model version.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The file to write, - for standard output; else models/NAME.yaml.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--gpu", metavar="KIND", default="", help="Propose nodes with these GPUs, as L4.")
@click.option(
    "--instance-type", metavar="TYPE", default="", help="Propose these nodes, as g6.12xlarge."
)
@click.option(
    "--max-model-len",
    type=click.IntRange(min=1),
    default=None,
    metavar="TOKENS",
    help="The context that must fit; else what the nodes hold.",
)
@workdir_option
def init(
    model: str,
    name: str,
    version: str,
    out: Path | None,
    force: bool,
    gpu: str,
    instance_type: str,
    max_model_len: int | None,
    workdir: Path | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Write a catalog file for MODEL, a URI: its commit, and values to serve it, with reasons."""
    from modelcar import new_entry, proposal
    from modelcar.hub import Hub

    if "://" not in model:
        uri = f"hf://{model}" if "/" in model else "hf://org/name"
        raise UsageError(f"the model {model!r}", "it is not a URI", f"write {uri}")
    found = chosen_model(model, **selection)
    found = replace(found, name=name or found.name, version=version)
    nodes = proposal.kinds(gpu, instance_type)
    path = out or Path("models", f"{found.name}.yaml")
    printed = path == Path("-")
    new_entry.hold_fields(found, path)
    if not printed:
        new_entry.hold_place(found, path, force)
    entry = new_entry.make(found, path, nodes, max_model_len or 0, work_folder(workdir), Hub())
    new_entry.say(entry)
    if not printed:
        new_entry.write(entry, path, force)
    shown = entry.text.rstrip("\n") if printed else str(path)
    show(shown, _init_json(entry, path), as_json)


def _init_json(entry: "NewEntry", path: Path) -> dict[str, Any]:
    from modelcar.values import to_json

    made, found = entry.plan, entry.proposal
    return {
        "file": str(path),
        "name": made.model,
        "source": made.source.uri,
        "commit": made.commit,
        "holds": found.holds,
        "fit": to_json(found.fit),
        "serving": to_json(found.serving),
        "why": found.why,
        "text": entry.text,
    }


@click.command()
@common_options
@click.argument("kind", type=click.Choice(["catalog", "site"]), default="catalog")
def schema(kind: str, as_json: bool) -> None:
    """Print the JSON Schema of catalog or site files, which editors complete and check by."""
    from modelcar import schemas

    click.echo(schemas.text(kind), nl=False)
