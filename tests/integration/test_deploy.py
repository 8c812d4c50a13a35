"""Deploying to a real API server; KServe and vLLM are played."""

import dataclasses
import logging
import re
import threading
import time
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from modelcar.errors import DeployError
from modelcar.serving.deploy import applied_url, deploy
from modelcar.serving.objects import Objects
from modelcar.values import Digest, Endpoint, ImageDigest, Model
from tests.servers.cutter import Cutter
from tests.servers.kserve import GROUP, VERSION, KServe
from tests.servers.kube import KubeServer
from tests.servers.kube_proxy import KubeProxy
from tests.servers.vllm import VllmServer
from tests.serving_models import IMAGE, full, quantized
from tests.serving_site import MODEL, NAME, Listener, Site


@pytest.mark.usefixtures("kserve")
def test_a_model_is_deployed_and_answers(site: Site) -> None:
    endpoint = site.deploy()

    times = (endpoint.seconds, endpoint.first_token, endpoint.tokens_per_second)
    assert endpoint == Endpoint(NAME, site.namespace, site.vllm.url, *times)
    assert min(times[:2]) > 0
    live = site.service()
    assert live["spec"]["predictor"]["model"]["storageUri"] == f"oci://{IMAGE}"
    assert [seen.target for seen in site.vllm.requests] == ["/v1/models", "/v1/completions"]
    assert applied_url(site.server.client(), MODEL, site.namespace) == site.vllm.url


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize("model", [quantized(), full(memory="98304Mi")])
def test_the_server_keeps_every_field(site: Site, model: Model) -> None:
    site.deploy(model)

    live = site.server.request("GET", f"{site.path}/{model.name}")
    applied = next(f for f in live["metadata"]["managedFields"] if f["manager"] == "modelcar")
    assert applied["operation"] == "Apply"
    assert live["spec"]["predictor"]["model"]["resources"]["limits"]["memory"] == (
        model.serving.memory
    )
    if model.serving.gpus > 1:
        assert live["spec"]["predictor"]["volumes"][0]["emptyDir"]["sizeLimit"] == "2Gi"


@pytest.mark.usefixtures("kserve")
def test_an_unchanged_and_ready_service_is_not_written(site: Site) -> None:
    site.deploy()
    before = site.service()

    site.deploy()

    assert site.service() == before


@pytest.mark.usefixtures("kserve")
def test_another_digest_replaces_only_what_is_ours(site: Site) -> None:
    site.deploy()
    site.merge({"metadata": {"labels": {"modelregistry.opendatahub.io/inference-service-id": "7"}}})
    other = ImageDigest(IMAGE.name, Digest("cd" * 32))

    site.deploy(image=other)

    live = site.service()
    assert live["spec"]["predictor"]["model"]["storageUri"] == f"oci://{other}"
    assert live["metadata"]["generation"] == 2
    assert live["metadata"]["labels"]["modelregistry.opendatahub.io/inference-service-id"] == "7"


@pytest.mark.usefixtures("kserve")
def test_what_the_model_no_longer_says_is_taken_away(site: Site) -> None:
    site.deploy()

    site.deploy(quantized(node_selector={}, route=False))

    live = site.service()
    assert "nodeSelector" not in live["spec"]["predictor"]
    assert "networking.kserve.io/visibility" not in live["metadata"]["labels"]


@pytest.mark.usefixtures("kserve")
def test_what_someone_changed_by_hand_is_set_right(site: Site) -> None:
    site.deploy()
    site.merge({"spec": {"predictor": {"maxReplicas": 5}}})

    site.deploy()

    assert site.service()["spec"]["predictor"]["maxReplicas"] == 1


def make_theirs(site: Site) -> dict[str, Any]:
    """Make a service of the model's name in the dashboard, and return its model."""
    model = {"modelFormat": {"name": "vLLM"}, "storageUri": "pvc://weights"}
    body = {"spec": {"predictor": {"model": model}}, "metadata": {"name": NAME}}
    head = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "InferenceService"}
    site.server.request("POST", f"{site.path}?fieldManager=dashboard", {**head, **body})
    return model


@pytest.mark.usefixtures("kserve")
def test_a_service_that_another_made_is_refused_unless_adopted(site: Site) -> None:
    model = make_theirs(site)

    with pytest.raises(DeployError, match=r"made by dashboard.*--adopt"):
        site.deploy()
    assert site.service()["spec"]["predictor"]["model"] == model

    site.deploy(adopt=True)
    assert site.service()["spec"]["predictor"]["model"]["storageUri"] == f"oci://{IMAGE}"
    site.deploy()  # from now on it is ours


def test_a_service_that_another_makes_in_this_moment_is_a_conflict(site: Site) -> None:
    with KubeProxy(site.server, lambda: make_theirs(site)) as proxy:
        api = site.server.client(server=proxy.url)
        with pytest.raises(DeployError) as caught:
            site.deploy(api=api)

    assert "conflict" in caught.value.why
    assert "(HTTP 409)" in caught.value.why
    assert "run again" in caught.value.remedy
    assert site.service()["spec"]["predictor"]["model"]["storageUri"] == "pvc://weights"


@pytest.mark.usefixtures("kserve")
def test_what_another_sets_on_fields_of_its_own_stays(site: Site) -> None:
    site.deploy()
    site.merge({"spec": {"predictor": {"timeout": 60}}, "metadata": {"annotations": {"a": "b"}}})

    site.deploy(quantized(cpu="8"))

    live = site.service()
    assert live["spec"]["predictor"]["timeout"] == 60
    assert live["metadata"]["annotations"]["a"] == "b"


def test_ready_from_before_an_update_is_not_believed(site: Site, kserve: KServe) -> None:
    site.deploy()
    kserve.go.clear()
    other = ImageDigest(IMAGE.name, Digest("cd" * 32))

    with pytest.raises(DeployError, match=r"not ready after 1\.5s"):
        site.deploy(image=other, timeout=1.5)

    kserve.go.set()
    assert site.deploy(image=other).url == site.vllm.url


def test_ready_with_other_settings_is_not_believed(site: Site, kserve: KServe) -> None:
    site.deploy()
    kserve.go.clear()

    with pytest.raises(DeployError, match=r"not ready after 1\.5s"):
        site.deploy(quantized(max_model_len=8192), timeout=1.5)

    kserve.go.set()
    assert site.deploy(quantized(max_model_len=8192)).url == site.vllm.url


@pytest.mark.usefixtures("kserve")
def test_what_stands_is_looked_at_anew_after_what_may_take_long(site: Site) -> None:
    site.deploy()

    def meanwhile() -> None:
        site.server.request("DELETE", f"{site.path}/{NAME}")
        make_theirs(site)

    with pytest.raises(DeployError, match="made by dashboard"):
        site.deploy(quantized(cpu="8"), before=meanwhile)
    assert site.service()["spec"]["predictor"]["model"]["storageUri"] == "pvc://weights"


@pytest.mark.usefixtures("kserve")
def test_nothing_is_prepared_for_what_stands_already(site: Site) -> None:
    calls: list[str] = []
    site.deploy(before=lambda: calls.append("created"))
    site.deploy(before=lambda: calls.append("unchanged"))
    site.deploy(quantized(cpu="8"), before=lambda: calls.append("updated"))
    assert calls == ["created", "updated"]


def test_a_version_from_before_a_restart_is_still_watched(site: Site) -> None:
    make_theirs(site)
    version = site.service()["metadata"]["resourceVersion"]
    site.add_pod({})  # from now on the server's own version is a later one
    site.server.restart()
    objects, began = Objects(site.server.client(), site.namespace), time.monotonic()

    assert not objects.await_change(NAME, version, 2.0)

    assert time.monotonic() - began > 1.5
    site.merge({"metadata": {"labels": {"a": "b"}}})
    assert objects.await_change(NAME, version, 2.0)


def test_a_timeout_names_what_the_scheduler_says(site: Site) -> None:
    message = "0/6 nodes are available: 6 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    site.add_pod({"conditions": [{**condition, "message": message}]})

    with pytest.raises(DeployError) as caught:
        site.deploy(timeout=1.5)

    assert message in caught.value.why
    assert "free GPUs" in caught.value.remedy


def test_what_cannot_heal_is_not_waited_for(site: Site) -> None:
    state = {"waiting": {"reason": "ErrImagePull", "message": "unauthorized: no access"}}
    status = {"name": "modelcar-init", "state": state, "ready": False, "restartCount": 0}
    init = {**status, "image": "x", "imageID": ""}
    site.add_pod({"initContainerStatuses": [init]})

    with pytest.raises(DeployError, match="the node may not pull the image") as caught:
        site.deploy(timeout=600.0, settle=0.5)

    assert "serving.pull_secret" in caught.value.remedy


def test_a_watch_that_breaks_is_taken_up_again(
    site: Site, kserve: KServe, listener: Listener
) -> None:
    kserve.go.clear()
    waiting = listener.event("waiting until it is ready")
    port = urlsplit(site.server.url).port
    assert port
    with Cutter(port) as cutter, ExitStack() as stack:
        cuts: list[int] = []

        def cut_then_finish() -> None:
            assert waiting.wait(20)
            cuts.append(cutter.cut())
            kserve.go.set()

        thread = threading.Thread(target=cut_then_finish)
        thread.start()
        stack.callback(thread.join)
        api = site.server.client(server=f"https://127.0.0.1:{cutter.port}")

        assert site.deploy(api=api).url == site.vllm.url

    assert cuts[0] > 0


def test_a_namespace_that_is_not_there_is_told(site: Site) -> None:
    with pytest.raises(DeployError, match='namespaces "nowhere" not found'):
        deploy(site.server.client(), MODEL, IMAGE, "nowhere", timeout=1)


def test_an_api_server_that_is_not_there_is_told(site: Site) -> None:
    api = site.server.client(server="https://127.0.0.1:1")

    with pytest.raises(DeployError, match=r"does not answer.*; check the network"):
        site.deploy(api=api)


def test_a_token_of_its_own_is_shown_instead(
    kube: KubeServer, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = (kube.ca_file, kube.folder / "server.key")
    monkeypatch.setenv("MODELCAR_ENDPOINT_TOKEN", "C4naryBird-endpoint")
    with (
        VllmServer(NAME, token="C4naryBird-endpoint", tls=tls) as vllm,
        KServe(kube, site.namespace, vllm.url),
    ):
        assert site.deploy(ca_file=str(kube.ca_file)).url == vllm.url


def test_the_callers_token_is_shown_only_over_tls(kube: KubeServer, site: Site) -> None:
    tls = (kube.ca_file, kube.folder / "server.key")
    with (
        VllmServer(NAME, token=kube.tokens["admin"], tls=tls) as vllm,
        KServe(kube, site.namespace, vllm.url),
    ):
        site.deploy(ca_file=str(kube.ca_file))

    with KServe(kube, site.namespace, site.vllm.url):
        site.deploy(dataclasses.replace(full()))
    assert [seen.authorized for seen in site.vllm.requests] == [False, False]


@pytest.mark.usefixtures("kserve")
def test_the_token_stays_out_of_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="modelcar")

    site.deploy(token="C4naryBird-token")

    assert re.search("first token after", caplog.text)
    assert "C4naryBird-token" not in caplog.text
