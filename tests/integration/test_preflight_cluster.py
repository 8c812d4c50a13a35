"""What preflight reads of the cluster: its release, runtimes, nodes, and whose rights count."""

import json
from typing import Any

import pytest

from tests.gpu_pool import GpuPool
from tests.pipeline.compiled_file import SHIPPED
from tests.ready_namespace import make_namespace, standing
from tests.ready_place import Place
from tests.servers import openshift

CLUSTERS = "/apis/datasciencecluster.opendatahub.io/v1/datascienceclusters"
OPERATORS = "/apis/operators.coreos.com/v1alpha1"
KSERVE = "/apis/serving.kserve.io/v1alpha1"
TEMPLATES = "/apis/template.openshift.io/v1/namespaces/redhat-ods-applications/templates"
PIPELINE = ("--pipeline", str(SHIPPED))


def cluster(version: str, name: str = "OpenShift AI Self-Managed") -> dict[str, Any]:
    head = {"apiVersion": "datasciencecluster.opendatahub.io/v1", "kind": "DataScienceCluster"}
    status = {"release": {"name": name, "version": version}}
    return {**head, "metadata": {"name": "default-dsc"}, "status": status}


@pytest.mark.parametrize(
    ("version", "state", "what"),
    [
        ("2.25.1", "ok", "OpenShift AI 2.25 runs "),
        ("3.4.0", "ok", "OpenShift AI 3.4 runs "),
        ("2.19.0", "failed", "OpenShift AI 2.19 knows no retry of a task (2.22) of "),
        ("2.8.0", "failed", "OpenShift AI 2.8 knows no run whose failure is told by its exit task"),
    ],
)
def test_the_release_is_compared_with_what_the_compiled_file_asks(
    place: Place, version: str, state: str, what: str
) -> None:
    place.claim("10Gi")
    with standing(place.kube, CLUSTERS, cluster(version)):
        found = place.check(*PIPELINE)["pipelines_version"]
    assert (found["state"], found["what"][: len(what)]) == (state, what)
    assert found["remedy"] == ("upgrade to 2.22 or newer" if state == "failed" else "")


def test_the_release_is_read_from_the_operator_where_the_cluster_is_hidden(place: Place) -> None:
    place.claim("10Gi")
    path = f"{OPERATORS}/namespaces/{place.namespace}/clusterserviceversions"
    head = {"apiVersion": "operators.coreos.com/v1alpha1", "kind": "ClusterServiceVersion"}
    with standing(place.kube, path, {**head, "metadata": {"name": "rhods-operator.2.22.0"}}):
        found = place.check(*PIPELINE)["pipelines_version"]
    assert (found["state"], found["what"][:22]) == ("ok", "OpenShift AI 2.22 runs")


def test_another_release_count_is_not_compared(place: Place) -> None:
    place.claim("10Gi")
    with standing(place.kube, CLUSTERS, cluster("2.5.0", "Open Data Hub")):
        found = place.check(*PIPELINE)["pipelines_version"]
    assert found["state"] == "unknown"
    assert found["remedy"].endswith("modelcar.yaml wants 2.22 or newer")


def test_the_images_of_the_compiled_file_are_looked_for(place: Place) -> None:
    place.claim("10Gi")
    pipeline = place.folder / "mine.yaml"
    gone = f"{place.oci_registry.host}/gone@sha256:{'e' * 64}"
    containers = {"a": {"container": {"image": place.image}}, "b": {"container": {"image": gone}}}
    spec = {"deploymentSpec": {"executors": containers}, "sdkVersion": "kfp-2.17.0"}
    pipeline.write_text(json.dumps(spec))

    found = place.check("--pipeline", "mine.yaml")

    assert {check for check in found if check.startswith("images.")} == {
        "images.base",
        "images.pipeline.1",
        "images.pipeline.2",
    }
    assert {one["state"] for check, one in found.items() if check.startswith("images.")} == {
        "ok",
        "failed",
    }


def test_a_file_that_is_no_pipeline_is_a_finding(place: Place) -> None:
    place.claim("10Gi")
    found = place.check("--pipeline", "tiny.yaml")["images"]
    assert (found["state"], found["what"]) == (
        "failed",
        "file tiny.yaml: it is no compiled pipeline",
    )


def test_the_runners_rights_count_where_there_is_a_pipelines_server(place: Place) -> None:
    place.claim("10Gi")
    group = "datasciencepipelinesapplications.opendatahub.io"
    path = f"/apis/{group}/v1/namespaces/{place.namespace}/{group.partition('.')[0]}"
    kind = "DataSciencePipelinesApplication"
    body = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "team"}}
    reason = {"type": "Ready", "status": "False", "message": "the database is away"}
    place.kube.request("POST", path, {**body, "status": {"conditions": [reason]}})

    runners, mine = place.check(), place.check("--account", "me")

    assert runners["rights"]["what"].startswith("pipeline-runner-team may not ")
    assert runners["rights"]["state"] == "failed"
    assert mine["rights"]["state"] == "ok"
    server = runners["pipelines_server"]
    assert (server["state"], server["what"]) == (
        "warning",
        "team is not ready: the database is away",
    )


def test_a_runtime_of_the_cluster_will_do(place: Place) -> None:
    place.claim("10Gi")
    place.serving |= {"runtime": "shared"}
    body = {**openshift.runtime("shared"), "kind": "ClusterServingRuntime"}
    with standing(place.kube, f"{KSERVE}/clusterservingruntimes", body):
        found = place.check()["runtime"]
    assert (found["state"], found["what"]) == ("ok", "shared is the cluster's own")


def test_a_template_that_asks_for_parameters_will_not_do(place: Place) -> None:
    place.claim("10Gi")
    place.serving |= {"runtime": "asking"}
    runtime = openshift.runtime("asking")
    runtime["spec"]["containers"][0]["image"] = "${IMAGE}"
    template = {**openshift.template("asking-template", runtime), "parameters": [{"name": "IMAGE"}]}
    make_namespace(place.kube, "redhat-ods-applications")
    with standing(place.kube, TEMPLATES, template):
        found = place.check()["runtime"]
    assert (found["state"], found["what"]) == (
        "failed",
        "creating asking: the template asking-template has parameters",
    )
    assert "oc process -n redhat-ods-applications asking-template" in found["remedy"]


def test_a_runtime_that_is_being_deleted_is_a_warning(place: Place) -> None:
    place.claim("10Gi")
    runtimes = f"{KSERVE}/namespaces/{place.namespace}/servingruntimes"
    body = openshift.runtime("going")
    body["metadata"]["finalizers"] = ["example.com/held"]
    place.kube.request("POST", runtimes, body)
    place.kube.request("DELETE", f"{runtimes}/going")
    place.serving |= {"runtime": "going"}
    found = place.check()["runtime"]
    assert (found["state"], found["what"]) == ("warning", "going is being deleted")


def test_a_pool_that_stands_at_zero_is_a_warning(place: Place) -> None:
    place.claim("10Gi")
    place.serving = {"node_selector": {"pool": "none-yet"}}
    found = place.check()["nodes"]
    assert (found["state"], found["what"]) == ("warning", "no node matches right now")


def test_nodes_that_have_too_few_gpus_fail(place: Place) -> None:
    place.claim("10Gi")
    pool = GpuPool(place.kube)
    pool.node("small")
    place.serving = {"node_selector": pool.selector, "gpus": 64}
    found = place.check()["nodes"]
    assert (found["state"], found["what"]) == (
        "failed",
        "none of the 1 that match takes pods with 64 GPUs",
    )


def test_an_api_server_that_is_away_is_a_finding(place: Place) -> None:
    gone = place.kube.kubeconfig("admin", place.namespace, "https://127.0.0.1:1")
    found = place.check(KUBECONFIG=str(gone))
    assert found["cluster"]["state"] == "failed"
    assert "the API server does not answer" in found["cluster"]["what"]
    assert found["source"]["state"] == "ok"


def test_a_kubeconfig_that_cannot_be_read_is_a_finding(place: Place) -> None:
    (place.folder / "broken").write_text("{")
    found = place.check(KUBECONFIG="broken")
    assert found["cluster"]["state"] == "failed"
    assert "oc login" in found["cluster"]["remedy"]
