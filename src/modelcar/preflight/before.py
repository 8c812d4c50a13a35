"""What is checked before a run moves anything: here, and in the pipeline's first tasks."""

from collections.abc import Iterator, Sequence

from modelcar import cluster
from modelcar.bootstrap.rights import Right
from modelcar.parameters import INTERNAL
from modelcar.preflight import namespace as place
from modelcar.preflight.account import Account, needed
from modelcar.preflight.finding import Finding, run
from modelcar.values import Model


def of_cluster(
    model: Model, namespace: str, target: str, deploys: bool = True
) -> Iterator[Finding]:
    """Yield what the cluster says, as this account: rights, pull secret, serving runtime.

    `target` is where the image goes, host first; nothing is asked where neither that nor deploying
    concerns the cluster. An error of ours is a finding.
    """
    wanted = tuple(needed(deploys, target.startswith(INTERNAL)))
    if wanted and cluster.reachable():
        yield from run(lambda: _asked(model, namespace, wanted, deploys), "cluster")


def _asked(
    model: Model, namespace: str, wanted: Sequence[Right], deploys: bool
) -> Iterator[Finding]:
    api, where = cluster.connect(), cluster.namespace(namespace)
    with cluster.asking(f"checking {where}"):
        yield from Account(api, where).rights(wanted)
        if deploys:
            yield from place.pull_secret(api, where, model.serving.pull_secret)
            yield from place.runtime(api, where, model.serving.runtime)
