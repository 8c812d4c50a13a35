"""Compile the pipeline into `compiled/`, or say with --check whether it is what sources give."""

import re
import sys
import tempfile
import warnings
from pathlib import Path

import click

from components._chosen import Choice, hand_over
from modelcar.errors import ModelCarError, ReferenceError_
from modelcar.oci.reference import parse_image
from modelcar.site import load_site

COMPILED = Path(__file__).resolve().parents[1] / "compiled"
_SECRET_NAME = re.compile("TOKEN|PASS|SECRET|KEY|AUTH|CREDENTIAL", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"@|\?.*=|^hf_|^sha256~|^eyJ")
# Tasks share their variables with KFP's launcher, which asks the cluster's services, and the API
# server at the first address of the usual network of services.
_INSIDE = ".svc,.cluster.local,172.30.0.1"


def _by_digest(_: click.Context, __: click.Parameter, image: str) -> str:
    try:
        return str(parse_image(image)) if image else ""
    except ReferenceError_ as error:
        raise click.BadParameter(str(error)) from error


def _variables(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, equals, value in pairs:
        if not (equals and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)):
            raise click.BadParameter("write NAME=VALUE")
        if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value):
            raise click.BadParameter(f"{name} looks like a secret, and the file would show it")
    chosen = {name: value for name, _, value in pairs}
    if any(name.upper() in ("HTTP_PROXY", "HTTPS_PROXY") for name in chosen):
        name = "no_proxy" if "no_proxy" in chosen else "NO_PROXY"
        chosen[name] = ",".join(filter(None, (chosen.get(name), _INSIDE)))
    return chosen


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is out of date.")
@click.option(
    "--runtime-image",
    default="",
    metavar="REF@sha256:…",
    callback=_by_digest,
    help="Embed no source.",
)
@click.option(
    "--site",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the images that this site file names.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_variables,
    help="Set it for every task, such as HTTPS_PROXY; no secret.",
)
@click.option("--out", type=click.Path(path_type=Path), default=COMPILED, help="The folder.")
def main(
    check: bool, runtime_image: str, site: Path | None, variables: dict[str, str], out: Path
) -> None:
    """Compile `pipelines/modelcar.py` to `modelcar.yaml`."""
    hand_over(_choice(runtime_image, site, variables))
    text = compiled()
    target = out / "modelcar.yaml"
    if not check:
        out.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(target)
    elif not target.is_file() or target.read_text(encoding="utf-8") != text:
        sys.exit(f"{target.name} is not what the sources give; run `make compile`")


def _choice(runtime: str, site: Path | None, variables: dict[str, str]) -> Choice:
    if site is None:
        return Choice(runtime, variables=variables)
    try:
        images = load_site(site).images
    except ModelCarError as error:
        raise click.ClickException(str(error)) from error
    return Choice(runtime, images.base, images.python, images.skopeo, variables)


def compiled() -> str:
    """Return the compiled pipeline's YAML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kfp warns of its own deprecations
        from kfp.compiler import Compiler

        from pipelines.modelcar import modelcar

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "modelcar.yaml")
            Compiler().compile(modelcar, str(path))
            return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
