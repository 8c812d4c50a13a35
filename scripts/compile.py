"""Compile the pipeline into `compiled/`, or say with --check whether it is what sources give."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import click

from modelcar.errors import ReferenceError_
from modelcar.oci.reference import parse_image

COMPILED = Path(__file__).resolve().parents[1] / "compiled"


def _by_digest(_: click.Context, __: click.Parameter, image: str) -> str:
    try:
        return str(parse_image(image)) if image else ""
    except ReferenceError_ as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is out of date.")
@click.option(
    "--runtime-image",
    default="",
    metavar="REF@sha256:…",
    callback=_by_digest,
    help="Embed no source.",
)
@click.option("--out", type=click.Path(path_type=Path), default=COMPILED, help="The folder.")
def main(check: bool, runtime_image: str, out: Path) -> None:
    """Compile `pipelines/modelcar.py` to `modelcar.yaml`."""
    # Read when the components are imported, which is therefore done after this.
    os.environ["MODELCAR_RUNTIME_IMAGE"] = runtime_image
    text = compiled()
    target = out / "modelcar.yaml"
    if not check:
        out.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(target)
    elif not target.is_file() or target.read_text(encoding="utf-8") != text:
        sys.exit(f"{target.name} is not what the sources give; run `make compile`")


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
