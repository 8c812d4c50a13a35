"""The verb that checks before anything long begins: preflight."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelcar.cli_options import (
    Connect,
    common_options,
    model_registry_options,
    show_json,
    site_file,
    work_folder,
    workdir_option,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


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
@workdir_option
@model_registry_options
def preflight(
    model: str,
    site_path: Path | None,
    namespace: str,
    workdir: Path | None,
    connect: Connect,
    as_json: bool,
) -> None:
    """Check what MODEL needs on its way, a line a check, and exit 1 if one failed."""
    from modelcar import catalog
    from modelcar.hub import Hub
    from modelcar.preflight.checks import Setting, findings
    from modelcar.values import to_json

    site = site_file(site_path)
    where = namespace or site.namespace
    setting = Setting(
        site, work_folder(workdir), Hub(_hub(site.hub)), where, _cluster(where), connect(site)
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


def _hub(named: str) -> str:
    """Return the site's Hub, but for what HF_ENDPOINT says."""
    import os

    return os.environ.get("HF_ENDPOINT") or named


def _cluster(namespace: str) -> "ApiClient | None":
    from modelcar import cluster

    return cluster.connect() if namespace else None
