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
    mirror_to: str,
    namespace: str,
    skip_preflight: str,
    workdir: str,
) -> str:
    """Bring what the OCI registry lacks onto the PVC, verified; return the kept plan's sha256.

    Before a byte moves, the right to push is asked for.
    """
    from modelcar import download as stage
    from modelcar import outcome, parameters, reuse
    from modelcar.hub import Hub
    from modelcar.oci.store import open_store
    from modelcar.preflight.finding import require
    from modelcar.preflight.pushing import pushing
    from modelcar.task import root, task
    from modelcar.values import Digest
    from modelcar.workfolder import WorkFolder

    with task("download", workdir) as record:
        model = parameters.model(hf_repo, commit, model_name, model_version)
        target = parameters.target(registry, namespace, model, commit)
        work, hub = WorkFolder(root(workdir)), Hub(hf_endpoint)
        planned = work.load(Digest.parse(plan_sha256))
        made = reuse.compare(planned, work, open_store(target.location))
        wanted = reuse.to_fetch(made)
        if wanted and not parameters.switch("skip_preflight", skip_preflight):
            mirror = parameters.mirror_target(mirror_to, model, commit)
            require(pushing("registry", target))
            require(pushing("mirror_to", mirror, by_skopeo=True) if mirror else ())
        snapshot = stage.download(made, wanted, work, hub)
        record.done(snapshot, outcome.download(snapshot))
    return str(work.save(made))
