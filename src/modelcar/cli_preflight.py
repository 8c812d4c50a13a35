"""The verb that checks before anything long begins: preflight."""

import sys
from pathlib import Path
from typing import Final

import click

from modelcar.cli_options import (
    Connect,
    common_options,
    model_registry_options,
    show_json,
    site_file,
    site_hub,
    work_folder,
    workdir_option,
)

_COMPILED: Final = Path("compiled", "modelcar.yaml")


@click.command()
@common_options
@click.argument("model")
@click.option(
    "--site",
    "site_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The site file; else site.yaml.",
)
@click.option("-n", "--namespace", default="", help="Which; else the site file's.")
@click.option(
    "--account",
    default="",
    metavar="NAME",
    help="Whose rights: a service account's, or `me`; else the pipeline runner's, if there is one.",
)
@click.option(
    "--pipeline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The compiled pipeline that is to run; else compiled/modelcar.yaml, if there is one.",
)
@workdir_option
@model_registry_options
def preflight(
    model: str,
    site_path: Path | None,
    namespace: str,
    account: str,
    pipeline: Path | None,
    workdir: Path | None,
    connect: Connect,
    as_json: bool,
) -> None:
    """Check what MODEL needs on its way, a line a check, and exit 1 if one failed."""
    from modelcar import catalog
    from modelcar.preflight.checks import Setting, findings
    from modelcar.values import to_json

    site = site_file(site_path)
    setting = Setting(
        site=site,
        work=work_folder(workdir),
        hub=site_hub(site),
        connection=lambda: connect(site),
        namespace=namespace or site.namespace,
        account=account,
        pipeline=pipeline or (_COMPILED if _COMPILED.is_file() else None),
    )
    found = []
    for finding in findings(catalog.find(model), setting):
        found.append(finding)
        if not as_json:
            click.echo(str(finding))
    if as_json:
        show_json(to_json(found))
    if any(finding.state == "failed" for finding in found):
        sys.exit(1)
