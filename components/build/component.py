"""The pipeline's face of build."""

from typing import NamedTuple

from components._runtime import stage


@stage("urllib3")
def build(
    hf_repo: str,
    commit: str,
    model_name: str,
    model_version: str,
    plan_sha256: str,
    registry: str,
    namespace: str,
    mirror_to: str,
    base_image: str,
    workdir: str,
) -> NamedTuple(  # type: ignore[valid-type]
    "Built",
    [
        ("reference", str),
        ("image_facts", str),
        ("image_bytes", str),
        ("mirror_source", str),
        ("mirror_destination", str),
        ("source_tls_verify", str),
        ("destination_tls_verify", str),
    ],
):
    """Push the image, and say by digest where it stands and where it is to be mirrored."""
    import json

    from modelcar import outcome, parameters, skopeo_copy
    from modelcar.packing import Packing
    from modelcar.push import push
    from modelcar.supply import Supply
    from modelcar.task import root, task
    from modelcar.values import Digest, to_json
    from modelcar.workfolder import WorkFolder

    with task("build", workdir) as record:
        model = parameters.model(hf_repo, commit, model_name, model_version)
        target = parameters.target(registry, namespace, model, commit)
        mirror = parameters.mirror_target(mirror_to, model, commit)
        work = WorkFolder(root(workdir))
        made, supply = work.load(Digest.parse(plan_sha256)), Supply(model.source, work)
        built = push(made, target, work, supply, Packing(base=base_image))
        record.done(built, outcome.build(built))
    facts = (json.dumps(to_json(built.facts)), str(built.facts.size))
    return (str(built.image), *facts, *skopeo_copy.endpoints(built.image, mirror or target))
