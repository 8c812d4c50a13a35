"""An account with exactly the rights that we ask for does all that the stages do, and uses each.

What the pipelines operator gives its runner besides is not even needed.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from modelcar.bootstrap.rights import IMAGES, RIGHTS, rules
from modelcar.errors import DeployError
from modelcar.lease import Lease
from modelcar.preflight.namespace import volume
from modelcar.serving.explain import explain
from modelcar.serving.go_back import rollback, undeploy
from modelcar.serving.pre_pull import pre_pull
from modelcar.values import Digest, ImageDigest
from tests.gpu_pool import GpuPool
from tests.servers import openshift
from tests.servers.kserve import MERGE, KServe
from tests.servers.kubelet import Kubelet
from tests.serving_models import IMAGE, quantized
from tests.serving_site import NAME, Listener, Site

OTHER = ImageDigest(IMAGE.name, Digest("cd" * 32))
APPLICATIONS = "redhat-ods-applications"


@pytest.fixture
def account(site: Site) -> Iterator[Any]:
    """Return a client of the account, with the optional rights too."""
    site.server.grant(site.namespace, *rules("namespace"))
    site.server.grant_cluster(*rules("cluster"))
    runtime = openshift.runtime("vllm-rights")
    with site.template(APPLICATIONS, openshift.template("vllm-rights-template", runtime)):
        site.server.grant(APPLICATIONS, *rules("templates"))
        try:
            yield site.server.client("pipeline")
        finally:
            site.server.revoke(APPLICATIONS)
            site.server.revoke_cluster()


def test_the_rights_suffice_and_none_is_superfluous(
    site: Site, account: Any, listener: Listener
) -> None:
    before = len(list(site.server.asked("pipeline")))
    deploy_update_rollback_and_undeploy(site, account)
    pods_that_pull_are_made_watched_and_deleted(site, account, listener)
    a_crash_is_explained_from_its_log(site, account, listener)
    a_volume_claim_is_looked_at(site, account)
    its_lease_is_taken_over_and_given_back(site, account)

    requests = list(site.server.asked("pipeline"))[before:]
    asked = {(one.group, one.resource, one.verb, one.namespace) for one in requests}
    assert [one for one in requests if one.code == 403 and one.namespace == site.namespace] == []
    places = {"namespace": site.namespace, "cluster": "", "templates": APPLICATIONS}
    granted = {
        (right.group, right.resource, verb, places[right.place])
        for right in RIGHTS
        for verb in right.verbs
    }
    assert {one for one in granted - asked if one[0] != IMAGES} == {
        # An apply that creates is written down as a patch alone.
        ("serving.kserve.io", "inferenceservices", "create", site.namespace)
    }


def a_volume_claim_is_looked_at(site: Site, account: Any) -> None:
    (found,) = volume(account, site.namespace, "modelcar", 1)
    assert found.what == "modelcar is not there"


def its_lease_is_taken_over_and_given_back(site: Site, account: Any) -> None:
    path = f"/api/v1/namespaces/{site.namespace}/persistentvolumeclaims"
    size = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    site.server.request("POST", path, {"metadata": {"name": "modelcar"}, "spec": size})
    for run, before in (("one", ""), ("two", "one")):
        lease = Lease(account, site.namespace, "modelcar", NAME, run)
        assert lease.take() == before
    assert lease.release()


def deploy_update_rollback_and_undeploy(site: Site, account: Any) -> None:
    pool = GpuPool(site.server)
    pool.node("free")
    model = quantized(runtime="vllm-rights", node_selector=pool.selector)
    with KServe(site.server, site.namespace, site.vllm.url):
        site.deploy(model, api=account)
        site.deploy(model, OTHER, api=account)
        kind = site.service()["spec"]["predictor"]["deploymentStrategy"]["type"]
        assert kind == "RollingUpdate", "nodes, pods and quotas were read"
        assert explain(account, NAME, site.namespace).ready
        rollback(account, model, site.namespace, timeout=30.0)
        assert undeploy(account, NAME, site.namespace)
    runtimes = site.server.request("GET", site.runtimes)["items"]
    assert "vllm-rights" not in {one["metadata"]["name"] for one in runtimes}


def pods_that_pull_are_made_watched_and_deleted(
    site: Site, account: Any, listener: Listener
) -> None:
    pool = GpuPool(site.server)
    node = pool.node("a")

    def pulled() -> None:
        (pod,) = site.server.request("GET", site.pods)["items"]
        state = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        status = {"name": "pull", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        body = {"status": {"containerStatuses": [{**status, "state": state}]}}
        path = f"{site.pods}/{pod['metadata']['name']}/status"
        site.server.request("PATCH", path, body, MERGE)

    listener.upon("0 of 1 nodes", pulled)
    model = quantized(node_selector=pool.selector)
    assert pre_pull(account, model, IMAGE, site.namespace, timeout=20.0) == (node,)
    assert site.server.request("GET", site.pods)["items"] == []


def a_crash_is_explained_from_its_log(site: Site, account: Any, listener: Listener) -> None:
    with Kubelet(site.server) as kubelet:
        kubelet.logs["kserve-container"] = "ValueError: No available memory for the cache blocks.\n"

        def crash() -> None:
            over = {"terminated": {"exitCode": 1, "reason": "Error"}}
            waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
            status = {"name": "kserve-container", "image": "x", "imageID": "", "ready": False}
            state = {"state": waiting, "lastState": over, "restartCount": 3}
            site.add_pod({"containerStatuses": [{**status, **state}]})
            site.bind(kubelet.node)

        listener.upon("no pod yet", crash)
        with pytest.raises(DeployError, match="the weights leave no room for the KV cache"):
            site.deploy(api=account, settle=1.0)
