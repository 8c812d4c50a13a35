"""Going back to the image that served before, and taking a service away, on a real API server."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import DeployError
from modelcar.serving.go_back import deploy_or_go_back, rollback, undeploy
from modelcar.serving.history import PREVIOUS
from modelcar.values import Digest, ImageDigest, ModelVersion
from tests.byte_path import modelcar, told
from tests.model_registry_runs import properties
from tests.servers.kserve import MERGE, KServe
from tests.servers.model_registry import ModelRegistryServer
from tests.serving_models import IMAGE
from tests.serving_site import MODEL, NAME, Site

OTHER = ImageDigest(IMAGE.name, Digest("cd" * 32))
THIRD = ImageDigest(IMAGE.name, Digest("ef" * 32))


def image(site: Site) -> str:
    return str(site.service()["spec"]["predictor"]["model"]["storageUri"])


def before(site: Site) -> str | None:
    found: str | None = site.service()["metadata"]["annotations"].get(PREVIOUS)
    return found


@pytest.mark.usefixtures("kserve")
def test_the_image_that_served_before_is_recorded_and_returned_to(site: Site) -> None:
    site.deploy()
    assert before(site) is None
    site.deploy(image=OTHER)
    assert before(site) == f"oci://{IMAGE}"
    site.deploy(image=OTHER)
    assert before(site) == f"oci://{IMAGE}"

    endpoint = rollback(site.server.client(), MODEL, site.namespace, timeout=30.0)

    assert endpoint.url == site.vllm.url
    assert (image(site), before(site)) == (f"oci://{IMAGE}", f"oci://{OTHER}")


@pytest.mark.usefixtures("kserve")
def test_an_unchanged_service_is_not_written_for_what_it_remembers(site: Site) -> None:
    site.deploy()
    site.deploy(image=OTHER)
    version = site.service()["metadata"]["resourceVersion"]
    site.deploy(image=OTHER)
    assert site.service()["metadata"]["resourceVersion"] == version


def test_what_never_became_ready_served_nobody(site: Site) -> None:
    with KServe(site.server, site.namespace, site.vllm.url) as kserve:
        site.deploy()
        kserve.go.clear()
        not_ready = {"conditions": [{"type": "Ready", "status": "False"}]}
        with pytest.raises(DeployError):
            site.deploy(image=OTHER, timeout=0.5)
        path = f"{site.path}/{NAME}/status"
        site.server.request("PATCH", path, {"status": not_ready}, MERGE)
        kserve.go.set()
        site.deploy(image=THIRD)
        assert before(site) == f"oci://{IMAGE}"


def go(site: Site, image: ImageDigest, **options: Any) -> tuple[str, str]:
    """Deploy with the way back, which fails; return the error and its note."""
    with pytest.raises(DeployError) as caught:
        options = {"timeout": 30.0, **options}
        deploy_or_go_back(site.server.client(), MODEL, image, site.namespace, **options)
    (note,) = caught.value.__notes__
    return str(caught.value), note


@pytest.mark.usefixtures("kserve")
def test_a_deploy_that_does_not_prove_itself_goes_back(site: Site) -> None:
    registered = ModelVersion(MODEL.name, MODEL.version, f"oci://{IMAGE}", "11", "12", "13")
    site.deploy(registered=registered)
    site.vllm.fail("/v1/models", 404, times=1)

    _, note = go(site, OTHER, registered=dataclasses.replace(registered, version_id="14"))

    assert note == f"{site.vllm.url} is back at {IMAGE}"
    assert image(site) == f"oci://{IMAGE}"
    assert before(site) is None, "what failed did not serve"
    labels = site.service()["metadata"]["labels"]
    assert labels["modelregistry.opendatahub.io/model-version-id"] == "12"


@pytest.mark.usefixtures("kserve")
def test_a_first_deploy_that_fails_has_nothing_to_go_back_to(site: Site) -> None:
    site.vllm.fail("/v1/models", 404, times=1)
    assert go(site, IMAGE)[1] == "it stays as it is: nothing stood there before"


@pytest.mark.usefixtures("kserve")
def test_a_service_that_was_not_changed_stays_where_it_is(site: Site) -> None:
    site.deploy()
    site.deploy(image=OTHER)
    site.vllm.fail("/v1/models", 401, times=1)

    assert go(site, OTHER)[1] == "it stays as it is: nothing was changed"
    assert image(site) == f"oci://{OTHER}"


@pytest.mark.usefixtures("kserve")
def test_settings_that_fail_are_not_taken_for_an_image(site: Site) -> None:
    site.deploy()
    site.deploy(image=OTHER)
    site.vllm.fail("/v1/models", 404, times=1)
    changed = dataclasses.replace(MODEL, serving=dataclasses.replace(MODEL.serving, cpu="9"))

    with pytest.raises(DeployError) as caught:
        deploy_or_go_back(site.server.client(), changed, OTHER, site.namespace, timeout=30.0)

    (note,) = caught.value.__notes__
    assert note.endswith("its image is the same, and only its settings were changed")
    assert image(site) == f"oci://{OTHER}"


@pytest.mark.usefixtures("kserve")
def test_an_image_by_tag_is_no_place_to_return_to(site: Site) -> None:
    site.deploy()
    tagged = {"storageUri": "oci://quay.example/m:latest"}
    site.merge({"spec": {"predictor": {"model": tagged}}})
    site.deploy(image=OTHER)
    assert before(site) is None


@pytest.mark.usefixtures("kserve")
def test_without_a_record_there_is_nothing_to_return_to(site: Site) -> None:
    site.deploy()
    with pytest.raises(DeployError, match="no image is recorded that served before; deploy an im"):
        rollback(site.server.client(), MODEL, site.namespace)


def test_without_a_service_there_is_nothing_to_return_to(site: Site) -> None:
    with pytest.raises(DeployError, match="there is no such InferenceService; deploy it, or check"):
        rollback(site.server.client(), MODEL, site.namespace)


@pytest.mark.usefixtures("kserve")
def test_ids_in_the_model_registry_stay_while_the_image_does(site: Site) -> None:
    registered = ModelVersion(MODEL.name, MODEL.version, f"oci://{IMAGE}", "11", "12", "13")
    prefix = "modelregistry.opendatahub.io/"

    def labels() -> dict[str, str]:
        found = site.service()["metadata"]["labels"]
        return {key.removeprefix(prefix): v for key, v in found.items() if key.startswith(prefix)}

    site.deploy(registered=registered)
    version = site.service()["metadata"]["resourceVersion"]
    site.deploy()
    assert site.service()["metadata"]["resourceVersion"] == version
    assert labels() == {"registered-model-id": "11", "model-version-id": "12"}
    site.deploy(image=OTHER)
    assert labels() == {}


def run(site: Site, folder: Path, *argv: str) -> Any:
    kubeconfig = site.server.kubeconfig(namespace=site.namespace)
    return modelcar(folder, *argv, KUBECONFIG=str(kubeconfig))


@pytest.mark.usefixtures("kserve")
def test_the_verbs_roll_back_and_undeploy(site: Site, tmp_path: Path) -> None:
    site.deploy()
    site.deploy(image=OTHER)
    entry = {"name": NAME, "source": "hf://example/tiny", "version": "1"}
    (tmp_path / "m.yaml").write_text(json.dumps(entry))
    back = run(site, tmp_path, "rollback", "m.yaml", "--timeout", "30", "--no-smoke")
    gone = run(site, tmp_path, "undeploy", "m.yaml")
    again = told(run(site, tmp_path, "undeploy", NAME, "--json"))

    assert back.stdout == f"{site.vllm.url}\n", back.stderr
    assert gone.stdout == f"{site.namespace}/{NAME} is deleted\n", gone.stderr
    assert again == {"name": NAME, "namespace": site.namespace, "deleted": False}


def test_what_modelcar_did_not_make_is_not_deleted(site: Site) -> None:
    predictor = {"model": {"modelFormat": {"name": "vLLM"}, "storageUri": "pvc://claim"}}
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    theirs = {**body, "metadata": {"name": NAME}, "spec": {"predictor": predictor}}
    site.server.request("POST", site.path, theirs)

    with pytest.raises(DeployError, match="modelcar did not make it; delete it with `oc delete`"):
        undeploy(site.server.client(), NAME, site.namespace)

    assert site.service()["metadata"]["name"] == NAME


@pytest.mark.usefixtures("kserve")
def test_a_registered_image_is_linked_and_its_answer_recorded(site: Site, tmp_path: Path) -> None:
    entry = {"name": NAME, "source": "hf://example/tiny", "version": "1", "serving": {"gpus": 0}}
    (tmp_path / "m.yaml").write_text(json.dumps(entry))
    with ModelRegistryServer() as registry:
        argv = ["m.yaml", "--image", str(IMAGE), "--timeout", "30"]
        named = ["--model-registry", registry.url]
        unknown = run(site, tmp_path, "deploy", *argv, *named)
        model = registry.store.create("model", "", {"name": NAME})
        fields = {"name": "1", "registeredModelId": model["id"]}
        version = registry.store.create("version", model["id"], fields)
        artifact = {"name": NAME, "uri": f"oci://{IMAGE}"}
        registry.store.create("artifact", version["id"], artifact)
        writes = len(registry.writes)
        linked = run(site, tmp_path, "deploy", *argv, *named)
        (known,) = registry.store.all("version")

    assert unknown.returncode == 0, unknown.stderr
    assert writes == 0
    assert linked.stdout == f"{site.vllm.url}\n", linked.stderr
    labels = site.service()["metadata"]["labels"]
    assert labels["modelregistry.opendatahub.io/model-version-id"] == version["id"]
    found = properties(known)
    assert (found["verified_url"], found["verified_digest"]) == (site.vllm.url, str(IMAGE.digest))
    assert set(found) == {"verified_at", "verified_url", "verified_digest"}
