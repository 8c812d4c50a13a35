"""The pipeline's face of download."""

from components._runtime import stage


@stage("urllib3")
def download(
    hf_repo: str,
    commit: str,
    hf_endpoint: str,
    model_name: str,
    model_version: str,
    plan_sha256: str,
    registry: str,
    namespace: str,
    workdir: str,
) -> str:
    """Bring what the registry lacks onto the PVC, verified, and return the kept plan's sha256."""
    from modelcar import download as stage
    from modelcar import outcome, parameters, reuse
    from modelcar.hub import Hub
    from modelcar.oci.store import open_store
    from modelcar.task import root, task
    from modelcar.values import Digest
    from modelcar.workfolder import WorkFolder

    with task("download", workdir) as record:
        model = parameters.model(hf_repo, commit, model_name, model_version)
        target = parameters.target(registry, namespace, model, commit)
        work, hub = WorkFolder(root(workdir)), Hub(hf_endpoint)
        planned = work.load(Digest.parse(plan_sha256))
        made = reuse.compare(planned, work, open_store(target.location))
        snapshot = stage.download(made, reuse.to_fetch(made), work, hub)
        record.done(snapshot, outcome.download(snapshot))
    return str(work.save(made))
