"""The pipeline's face of report: the exit task, which runs whatever became of the others."""

from kfp import dsl

from components._runtime import stage


@stage("jinja2", "kubernetes", "urllib3")
def report(
    page: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    hf_repo: str,
    model_name: str,
    model_version: str,
    pvc_name: str,
) -> None:
    """Publish what the run's pods tell as a page and as Markdown, and give its lease back."""
    asked = dict(locals())
    from pathlib import Path

    from modelcar.tasks.report import Asked, make

    shown = (Path(asked.pop("page").path), Path(asked.pop("summary").path))
    make(Asked(**asked), *shown)
