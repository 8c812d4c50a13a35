"""The pipeline's face of download."""

from components._runtime import stage


@stage("huggingface-hub", "urllib3")
def download(
    hf_repo: str,
    commit: str,
    hf_endpoint: str,
    model_name: str,
    model_version: str,
    registry: str,
    namespace: str,
    workdir: str,
) -> str:
    """Bring what the registry lacks onto the PVC, verified, and return the kept plan's sha256."""
    from modelcar import download as stage
    from modelcar import outcome, parameters
    from modelcar import plan as planning
    from modelcar.hub import Hub
    from modelcar.oci.store import open_store
    from modelcar.task import task, work_folder

    with task("download", workdir) as record:
        model = parameters.model(hf_repo, commit, model_name, model_version)
        target = parameters.target(registry, namespace, model, commit)
        work, hub = work_folder(workdir), Hub(hf_endpoint)
        made = planning.make(model, work, hub, open_store(target.location))
        snapshot = stage.download(made, planning.to_fetch(made), work, hub)
        record.done(snapshot, outcome.download(snapshot))
    return str(work.save(made))
