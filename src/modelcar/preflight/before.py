"""What is checked before a run moves anything: here, and in the pipeline's first tasks."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from modelcar import cluster
from modelcar.preflight import namespace as place
from modelcar.preflight.account import Account, needed
from modelcar.preflight.finding import Finding, run
from modelcar.values import Model

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


Look = Callable[["ApiClient", str, str], Iterator[Finding]]


def of_cluster(model: Model, namespace: str, runtime: Look = place.runtime) -> Iterator[Finding]:
    """Yield what the cluster says, as this account: rights, pull secret, serving runtime.

    `runtime` looks for the latter. Nothing outside any cluster. An error of ours is a finding.
    """
    if cluster.reachable():
        yield from run(lambda: _asked(model, namespace, runtime), "cluster")


def _asked(model: Model, namespace: str, runtime: Look) -> Iterator[Finding]:
    api, where = cluster.connect(), cluster.namespace(namespace)
    with cluster.asking(f"checking {where}"):
        yield from Account(api, where).rights(needed())
        yield from place.pull_secret(api, where, model.serving.pull_secret)
        yield from runtime(api, where, model.serving.runtime)
