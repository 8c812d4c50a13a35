"""What is checked before a run moves anything: here, and in the pipeline's first tasks."""

from collections.abc import Iterator

from modelcar import cluster
from modelcar.preflight import namespace as place
from modelcar.preflight.account import Account, needed
from modelcar.preflight.finding import Finding, run
from modelcar.values import Model


def of_cluster(model: Model, namespace: str) -> Iterator[Finding]:
    """Yield what the cluster says, as this account: rights, pull secret, serving runtime.

    Nothing outside any cluster. An error of ours is a finding.
    """
    if cluster.reachable():
        yield from run(lambda: _asked(model, namespace), "cluster")


def _asked(model: Model, namespace: str) -> Iterator[Finding]:
    api, where = cluster.connect(), cluster.namespace(namespace)
    with cluster.asking(f"checking {where}"):
        yield from Account(api, where).rights(needed())
        yield from place.pull_secret(api, where, model.serving.pull_secret)
        yield from place.runtime(api, where, model.serving.runtime)
