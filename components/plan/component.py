"""The pipeline's face of plan."""

from typing import NamedTuple

from components._runtime import stage


@stage("urllib3")
def plan(
    hf_repo: str,
    revision: str,
    hf_endpoint: str,
    model_name: str,
    model_version: str,
    workdir: str,
) -> NamedTuple("Planned", [("commit", str), ("plan_sha256", str)]):  # type: ignore[valid-type]
    """Resolve the revision to its commit, choose the files, and refuse what cannot be packed."""
    from modelcar import outcome, parameters
    from modelcar import plan as planning
    from modelcar.hub import Hub
    from modelcar.task import task, work_folder

    with task("plan", workdir) as record:
        model = parameters.model(hf_repo, revision, model_name, model_version)
        work = work_folder(workdir)
        made = planning.make(model, work, Hub(hf_endpoint))
        planning.warn(made)
        record.done(made, outcome.plan(made))
    return (made.commit or "", str(work.save(made)))
