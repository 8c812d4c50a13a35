"""The pipeline's face of report: the exit task, which runs whatever became of the others."""

from kfp import dsl

from components._runtime import stage


@stage("jinja2")
def report(
    model_name: str,
    model_version: str,
    workdir: str,
    page: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Publish the run's records as a page and as Markdown."""
    from pathlib import Path

    from modelcar import report as stage
    from modelcar import run_summary
    from modelcar.task import root, run_id

    stages = run_summary.read(root(workdir), run_id())
    run = run_summary.summary(model_name, model_version, stages)
    Path(page.path).write_text(stage.html(run), encoding="utf-8")
    Path(summary.path).write_text(stage.markdown(run), encoding="utf-8")
