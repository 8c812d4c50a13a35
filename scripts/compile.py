"""Compile the pipelines into `compiled/`, or say with --check whether it is what sources give."""

import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from components._chosen import Choice, hand_over
from modelcar import catalog, pipeline_arguments
from modelcar.errors import ModelCarError, ReferenceError_
from modelcar.oci.reference import parse_image
from modelcar.site import Site, load_site

ROOT = Path(__file__).resolve().parents[1]
COMPILED, MODELS = ROOT / "compiled", ROOT / "models"
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
    """Compile both pipelines, and the first for each model of the catalog."""
    hand_over(_choice(runtime_image, site, variables))
    texts = compiled(_site_defaults(site))
    if check:
        _check(texts, out)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
        print(out / name)


def _check(texts: Mapping[str, str], out: Path) -> None:
    stale = [name for name, text in texts.items() if _content(out / name) != text]
    gone = sorted(path.name for path in out.glob("*.yaml") if path.name not in texts)
    if stale or gone:
        names = ", ".join([*stale, *gone])
        sys.exit(f"not what the sources give: {names}; run `make compile`, and remove what is old")


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _choice(runtime: str, site: Path | None, variables: dict[str, str]) -> Choice:
    images = _site(site).images
    return Choice(runtime, images.base, images.python, images.skopeo, variables)


def _site(path: Path | None) -> Site:
    try:
        return load_site(path) if path else Site()
    except ModelCarError as error:
        raise click.ClickException(str(error)) from error


def _site_defaults(path: Path | None) -> dict[str, str]:
    """Return the parameters that a site's pipelines have as defaults."""
    return pipeline_arguments.of_site(_site(path)) if path else {}


def compiled(site: Mapping[str, str]) -> dict[str, str]:
    """Return the YAML of each file; `site` has defaults of parameters for all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kfp warns of its own deprecations
        from pipelines.modelcar import modelcar
        from pipelines.overlapped import modelcar_overlapped

        texts = {
            f"{pipeline.name}.yaml": _text(pipeline, pipeline.name, site)
            for pipeline in (modelcar, modelcar_overlapped)
        }
        for path in sorted(MODELS.glob("*.yaml")):
            model = catalog.load(path)
            given = {**pipeline_arguments.of_model(model), **site}
            texts[f"{model.name}.yaml"] = _text(modelcar, f"modelcar-{model.name}", given)
    return texts


def _text(pipeline: Any, name: str, defaults: Mapping[str, str]) -> str:
    from kfp.compiler import Compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        Compiler().compile(
            pipeline, str(path), pipeline_name=name, pipeline_parameters=dict(defaults)
        )
        return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
