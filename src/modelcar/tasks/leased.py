"""The lease of a run on its volume claim: its first task takes it, its last gives it back."""

from modelcar import cluster
from modelcar.lease import Lease
from modelcar.task import run_id
from modelcar.values import Model


def own(claim: str, model: Model) -> Lease | None:
    """Return this run's lease of a model version, in the pipeline's own namespace.

    Outside a cluster there is none. Raises DeployError.
    """
    if not cluster.reachable():
        return None
    what = f"{model.name} {model.version}"
    return Lease(cluster.connect(), cluster.namespace(), claim, what, run_id())
