"""The serving runtime of a deployment: there, from the cluster's template, or missing."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from modelcar.errors import DeployError
from modelcar.serving.go_back import undeploy
from modelcar.values import Model
from tests.servers import openshift
from tests.servers.kserve import KServe
from tests.serving_models import quantized
from tests.serving_site import NAME, Site

APPLICATIONS = "redhat-ods-applications"
EVERYTHING = {"verbs": ["*"], "resources": ["*"]}


@pytest.fixture
def runtime(site: Site) -> Iterator[str]:
    """Return a runtime that no namespace has, and the cluster has a template of."""
    name = f"vllm-{secrets.token_hex(4)}"
    with site.template(APPLICATIONS, openshift.template(f"{name}-template", runtime_of(name))):
        yield name


def runtime_of(name: str) -> dict[str, Any]:
    return openshift.runtime(name)


def serving(runtime: str, **more: Any) -> Model:
    return quantized(runtime=runtime, **more)


def found(site: Site, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = site.server.request("GET", f"{site.runtimes}/{name}")
    return answer


def names(site: Site) -> set[str]:
    listed = site.server.request("GET", site.runtimes)["items"]
    return {one["metadata"]["name"] for one in listed}


@pytest.mark.usefixtures("kserve")
def test_a_runtime_is_made_from_the_clusters_template(site: Site, runtime: str) -> None:
    site.deploy(serving(runtime))

    made = found(site, runtime)
    assert made["spec"] == runtime_of(runtime)["spec"]
    assert made["metadata"]["labels"]["opendatahub.io/dashboard"] == "true"
    annotations = made["metadata"]["annotations"]
    assert annotations["opendatahub.io/template-name"] == f"{runtime}-template"
    assert annotations["opendatahub.io/template-display-name"] == "vLLM for NVIDIA GPUs"
    assert annotations["openshift.io/display-name"] == "vLLM NVIDIA GPU ServingRuntime"


@pytest.mark.usefixtures("kserve")
def test_a_runtime_that_stands_is_never_written(site: Site, runtime: str) -> None:
    site.add_runtime(runtime)
    before = found(site, runtime)
    site.deploy(serving(runtime))
    assert found(site, runtime) == before


@pytest.mark.usefixtures("kserve")
def test_a_runtime_that_went_away_is_made_again(site: Site, runtime: str) -> None:
    site.deploy(serving(runtime))
    site.server.request("DELETE", f"{site.runtimes}/{runtime}")
    version = site.service()["metadata"]["resourceVersion"]

    site.deploy(serving(runtime))

    assert runtime in names(site)
    assert site.service()["metadata"]["resourceVersion"] == version


def test_without_runtime_and_template_nothing_is_applied(site: Site) -> None:
    with pytest.raises(DeployError) as caught:
        site.deploy(serving("nowhere"))

    assert caught.value.what == f"looking up the serving runtime nowhere in {site.namespace}"
    assert caught.value.why == "it is not there, and no template of it may be read"
    assert f"nowhere-template | oc apply -n {site.namespace} -f -`" in caught.value.remedy
    assert site.server.request("GET", site.path)["items"] == []


def test_a_template_that_asks_for_parameters_is_told(site: Site) -> None:
    asking = runtime_of("asking")
    asking["spec"]["containers"][0]["image"] = "${IMAGE}"
    template = openshift.template("asking-template", asking)
    template["parameters"] = [{"name": "IMAGE"}]
    with site.template("opendatahub", template), pytest.raises(DeployError) as caught:
        site.deploy(serving("asking"))
    assert caught.value.why == "the template asking-template has parameters"
    made = f"`oc process -n opendatahub asking-template | oc apply -n {site.namespace} -f -`"
    assert caught.value.remedy == f"create it with {made}"


@pytest.mark.usefixtures("kserve")
def test_a_template_made_by_hand_may_leave_things_out(site: Site, runtime: str) -> None:
    bare, name = runtime_of(runtime), f"{runtime}-bare"
    bare["metadata"] = {"name": name, "labels": None, "annotations": None}
    bare["spec"]["containers"][0]["command"] = ["sh", "-c", "echo ${HOME}"]
    odd = openshift.template("a-odd-template", {"kind": "ServingRuntime"}, bare)
    del odd["metadata"]["annotations"]
    empty = openshift.template("a-empty-template")
    empty["objects"] = None
    with site.template(APPLICATIONS, empty), site.template(APPLICATIONS, odd):
        site.deploy(serving(name))
    assert found(site, name)["spec"]["containers"][0]["command"][2] == "echo ${HOME}"


def test_a_service_that_would_be_refused_leaves_no_runtime(site: Site, runtime: str) -> None:
    reading = {"apiGroups": ["serving.kserve.io"], "resources": ["*"], "verbs": ["get"]}
    site.server.grant(site.namespace, reading)
    with pytest.raises(DeployError, match="patch"):
        site.deploy(serving(runtime), api=site.server.client("pipeline"))
    assert runtime not in names(site)


def test_an_account_that_may_read_no_template_leaves_a_missing_runtime_to_kserve(
    site: Site, runtime: str, caplog: pytest.LogCaptureFixture
) -> None:
    rights = {"apiGroups": ["serving.kserve.io", "apps", ""], **EVERYTHING}
    site.server.grant(site.namespace, rights)
    with KServe(site.server, site.namespace, site.vllm.url):
        site.deploy(serving(runtime), api=site.server.client("pipeline"))
    assert runtime not in names(site)
    assert f"{runtime}: it is not there, and no template of it may be read" in caplog.text


@pytest.mark.usefixtures("kserve")
def test_undeploy_takes_away_the_runtime_that_was_made_for_it(site: Site, runtime: str) -> None:
    site.deploy(serving(runtime))

    assert undeploy(site.server.client(), NAME, site.namespace)

    assert names(site) == {"vllm-cuda-runtime"}, "another made that one"


@pytest.mark.usefixtures("kserve")
def test_a_copy_of_a_runtime_is_not_taken_for_ours(site: Site, runtime: str) -> None:
    site.deploy(serving(runtime))
    copy = found(site, runtime)
    for key in ("resourceVersion", "uid", "managedFields"):
        del copy["metadata"][key]
    copy["metadata"]["name"] = "theirs"
    site.server.request("POST", site.runtimes, copy)

    undeploy(site.server.client(), NAME, site.namespace)

    assert names(site) == {"theirs", "vllm-cuda-runtime"}


@pytest.mark.usefixtures("kserve")
def test_a_runtime_stays_while_kserve_may_have_chosen_it(site: Site, runtime: str) -> None:
    site.deploy(serving(runtime))
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    model = {"modelFormat": {"name": "vLLM"}, "storageUri": "pvc://claim"}
    spec = {"spec": {"predictor": {"model": model}}}
    site.server.request("POST", site.path, {**body, "metadata": {"name": "other"}, **spec})

    undeploy(site.server.client(), NAME, site.namespace)

    assert runtime in names(site)


@pytest.mark.usefixtures("kserve")
def test_an_account_that_may_not_delete_a_runtime_leaves_it(
    site: Site, runtime: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.deploy(serving(runtime))
    every = {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"], "verbs": ["*"]}
    reading = {**every, "resources": ["servingruntimes"], "verbs": ["get", "list"]}
    site.server.grant(site.namespace, every, reading)

    assert undeploy(site.server.client("pipeline"), NAME, site.namespace)

    assert runtime in names(site)
    assert f"{runtime}: not deleted (HTTP 403)" in caplog.text


@pytest.mark.usefixtures("kserve")
def test_a_runtime_that_another_service_names_stays(site: Site, runtime: str) -> None:
    site.deploy(serving(runtime))
    other = {"modelFormat": {"name": "vLLM"}, "runtime": runtime, "storageUri": "pvc://claim"}
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    spec = {"spec": {"predictor": {"model": other}}}
    site.server.request("POST", site.path, {**body, "metadata": {"name": "other"}, **spec})

    undeploy(site.server.client(), NAME, site.namespace)
    assert runtime in names(site)

    site.server.request("DELETE", f"{site.path}/other")
    assert not undeploy(site.server.client(), NAME, site.namespace)
    assert runtime not in names(site), "what an undeploy that died left behind goes with the next"
