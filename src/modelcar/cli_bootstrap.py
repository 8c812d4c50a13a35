"""The verb that makes a namespace ready: bootstrap."""

import sys
from pathlib import Path

import click

from modelcar.cli_options import common_options, show_json, site_file


@click.command()
@common_options
@click.option("-n", "--namespace", default="", help="Which; else the site file's or the current.")
@click.option(
    "--site",
    "site_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The site file; else site.yaml.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Tokens as KEY=value: HF_TOKEN, QUAY_USERNAME, QUAY_PASSWORD, MODEL_REGISTRY_URL.",
)
@click.option("--pvc-size", default="100Gi", help="Of the volume claim, where there is none.")
@click.option("--storage-class", default="", help="Of the volume claim; else the default.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=10.0,
    metavar="SECONDS",
    show_default=True,
    help="For the token that pushes inside the cluster, when it is new.",
)
@click.option("--adopt", is_flag=True, help="Take over objects that another made.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--remove", is_flag=True, help="Take back what was made, but for the volume claim.")
@click.option("--with-pvc", is_flag=True, help="With --remove: the volume claim, and its files.")
def bootstrap(
    namespace: str,
    site_path: Path | None,
    env_file: Path | None,
    pvc_size: str,
    storage_class: str,
    wait: float,
    adopt: bool,
    dry_run: bool,
    remove: bool,
    with_pvc: bool,
    as_json: bool,
) -> None:
    """Make a namespace ready for the pipeline: rights, volume claim, secrets, serving runtime.

    It can be repeated: what is right stays as it is, and what another made is kept.
    """
    from modelcar import cluster
    from modelcar.bootstrap import env_file as env
    from modelcar.bootstrap import namespace as stage
    from modelcar.bootstrap import removal
    from modelcar.bootstrap.applying import refused
    from modelcar.bootstrap.asked import Request
    from modelcar.values import to_json

    site, values = site_file(site_path), env.read(env_file) if env_file else {}
    where = cluster.namespace(namespace or site.namespace)
    asked = Request(
        where,
        values,
        site,
        pvc_size=pvc_size,
        storage_class=storage_class,
        wait=wait,
        adopt=adopt,
        dry_run=dry_run,
        with_pvc=with_pvc,
    )
    run = removal.remove if remove else stage.bootstrap
    done = []
    for outcome in run(cluster.connect(), asked):
        done.append(outcome)
        if not as_json:
            click.echo(str(outcome))
    if as_json:
        show_json(to_json(done))
    if refused(done):
        sys.exit(1)
