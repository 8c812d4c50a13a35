"""The verbs of the Model Registry: register, versions, archive, restore."""

import logging
from typing import TYPE_CHECKING, Any

import click

from modelcar.cli_options import (
    Connect,
    common_options,
    image_option,
    model_name,
    model_registry_options,
    show,
    show_json,
    site_file,
)

if TYPE_CHECKING:
    from modelcar.model_registry import Connection
    from modelcar.model_registry.states import State
    from modelcar.oci.reference import DigestReference
    from modelcar.values import ImageFacts, Model, ModelFacts

log = logging.getLogger(__name__)
_NAME_IT = "name it with --model-registry, MODEL_REGISTRY_URL or the site file"


@click.command()
@common_options
@click.argument("model")
@image_option
@click.option("--mirror", default="", metavar="REF@sha256:…", help="Its copy, to be recorded.")
@model_registry_options
@click.option("--move-version", is_flag=True, help="Move the version to another digest.")
@click.option("--follow", is_flag=True, help="Register it as VERSION-COMMIT7.")
def register(
    model: str,
    image: str,
    mirror: str,
    connect: Connect,
    move_version: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Find or create MODEL's version in the Model Registry, and print its id and URI.

    What is known of it is recorded: what the image says, and the model card at its commit.
    """
    from modelcar import catalog
    from modelcar import register as stage
    from modelcar.model_registry import register as converge
    from modelcar.oci.inspect import inspect
    from modelcar.oci.reference import parse_image
    from modelcar.values import to_json

    reference, chosen = parse_image(image), catalog.find(model)
    copy = str(_same(reference, parse_image(mirror))) if mirror else ""
    connection = connect(site_file())
    if connection is None:
        _skip(as_json)
        return
    facts = inspect(reference)
    chosen = stage.following(chosen, facts.commit) if follow else chosen
    record = stage.record(chosen, facts, _card(chosen, facts), copy)
    found = converge(connection, chosen, reference.image, record, move_version=move_version)
    show(f"{found.version_id} {found.uri}", to_json(found), as_json)


@click.command()
@common_options
@click.argument("model")
@model_registry_options
def versions(model: str, connect: Connect, as_json: bool) -> None:
    """List MODEL's versions in the Model Registry: digest, state, since when, by which run.

    The last two columns say where it is served, and since when and where it answers.
    """
    from modelcar import cli_json, terminal
    from modelcar.model_registry import versions as listing

    name = model_name(model)
    found = listing.versions(_needed(connect), name)
    if as_json:
        show_json(cli_json.versions_json(name, found))
    else:
        terminal.print_versions(found)


@click.command()
@common_options
@click.argument("model")
@click.argument("version", required=False)
@model_registry_options
def archive(model: str, version: str | None, **options: Any) -> None:
    """Archive MODEL's VERSION in the Model Registry, or without VERSION the model."""
    _set_state(model, version, "ARCHIVED", **options)


@click.command()
@common_options
@click.argument("model")
@click.argument("version", required=False)
@model_registry_options
def restore(model: str, version: str | None, **options: Any) -> None:
    """Bring MODEL's VERSION back from the archive, or without VERSION the model."""
    _set_state(model, version, "LIVE", **options)


def _set_state(
    model: str, version: str | None, state: "State", connect: Connect, as_json: bool
) -> None:
    from modelcar.errors import UsageError
    from modelcar.model_registry.states import set_state
    from modelcar.values import to_json

    if version == "":  # a variable that was not set: the whole model would go
        raise UsageError(f"{model}: its version", "it is empty", "name one, or leave it out")
    done = set_state(_needed(connect), model_name(model), version or "", state)
    title = f"{done.model} {done.version}".strip()
    show(f"{title} {'is' if done.changed else 'was'} {state}", to_json(done), as_json)


def _needed(connect: Connect) -> "Connection":
    from modelcar.errors import UsageError

    connection = connect(site_file())
    if connection is None:
        raise UsageError("asking the Model Registry", "none is named", _NAME_IT)
    return connection


def _same(image: "DigestReference", copy: "DigestReference") -> "DigestReference":
    from modelcar.errors import UsageError

    if image.digest != copy.digest:
        why = f"its digest is not the image's, {image.digest}"
        raise UsageError(f"mirror {copy}", why, "name the copy that `modelcar mirror` printed")
    return copy


def _skip(as_json: bool) -> None:
    log.warning("nothing is registered: no Model Registry is named; %s", _NAME_IT)
    if as_json:
        show_json({"skipped": "no Model Registry is named"})


def _card(model: "Model", image: "ImageFacts") -> "ModelFacts":
    """Read the model card at the image's commit; without it the image's own facts must do."""
    from modelcar import facts, plan
    from modelcar.errors import SourceError
    from modelcar.hub import Hub
    from modelcar.values import ModelFacts

    try:
        source = model.source.at(image.commit)
        return facts.facts(["README.md"], lambda path: plan.read(source, path, Hub()))
    except SourceError as error:
        log.warning("what the model card says is not recorded: %s", error)
        return ModelFacts()
