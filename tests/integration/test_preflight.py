"""The checks before a run, against a real API server, a real OCI registry and a Hub."""

import json
from pathlib import Path

import pytest

from tests.auth_files import htpasswd
from tests.byte_path import REPO, modelcar, tiny
from tests.ready_place import CONFIG, Place
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer


def test_a_place_that_is_ready_has_no_failure(place: Place) -> None:
    place.claim("10Gi")
    before = place.oci_registry.log.read_text().count('"PATCH ')
    found = place.check()

    states = {check: one["state"] for check, one in found.items()}
    assert place.done.returncode == 0, states
    fine = ("ca", "source", "oci_registry", "mirror", "model_registry", "rights", "pvc", "runtime")
    images = ("images.base", "images.python", "images.skopeo")
    assert {states[check] for check in (*fine, *images, "pull_secret", "nodes")} == {"ok"}, found
    assert found["pvc"]["what"] == "modelcar is bound, with 10.7 GB"
    assert place.oci_registry.log.read_text().count('"PATCH ') == before, "no byte is pushed"


def test_findings_are_lines_for_people(place: Place) -> None:
    place.claim("10Gi")
    place.check()
    variables = {
        "KUBECONFIG": str(place.kube.kubeconfig(namespace=place.namespace)),
        "HF_ENDPOINT": place.hub.url,
    }
    done = modelcar(place.folder, "preflight", "tiny.yaml", **variables)
    assert done.returncode == 0, done.stderr
    assert "ok      pvc: modelcar is bound, with 10.7 GB" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("size", "phase", "state", "what"),
    [
        ("", "", "failed", "modelcar is not there"),
        ("1Ki", "Bound", "failed", "modelcar has 1.0 kB, the files take"),
        ("10Gi", "Pending", "warning", "modelcar is not bound yet"),
        ("10Gi", "Lost", "failed", "modelcar has lost its volume"),
    ],
)
def test_a_volume_claim_that_will_not_do_is_told(
    place: Place, size: str, phase: str, state: str, what: str
) -> None:
    if size:
        place.claim(size, phase)
    found = place.check()["pvc"]
    assert (found["state"], found["what"][: len(what)]) == (state, what)
    assert found["remedy"]
    assert place.done.returncode == (1 if state == "failed" else 0)


def test_what_is_missing_in_the_namespace_is_told(place: Place) -> None:
    place.claim("10Gi")
    place.serving |= {"runtime": "nowhere", "pull_secret": "absent"}
    found = place.check()
    for check, what in (
        ("runtime", "nowhere is not there, and no template of it may be read"),
        ("pull_secret", "absent is not there"),
    ):
        assert (found[check]["state"], found[check]["what"]) == ("failed", what)
        assert found[check]["remedy"]


def test_a_model_that_would_not_fit_fails(place: Place) -> None:
    place.claim("10Gi")
    place.serving = {"node_selector": {"node.kubernetes.io/instance-type": "g6.4xlarge"}}
    place.serving |= {"max_model_len": 512}
    found = place.check()["fit"]
    assert (found["state"], found["remedy"]) == ("failed", "set serving.max_model_len to 256")


def test_a_gated_model_is_told_before_anything_moves(place: Place) -> None:
    place.claim("10Gi")
    with HubServer({REPO: tiny(config=CONFIG)}, gated=[REPO]) as gated:
        found = place.check(HF_ENDPOINT=gated.url)["source"]
    assert found["state"] == "failed"
    assert "HF_TOKEN" in found["remedy"] or "access" in found["remedy"], found


def test_who_may_not_push_is_told(place: Place, tmp_path: Path) -> None:
    place.claim("10Gi")
    asking = htpasswd(tmp_path / "htpasswd", "robot")
    with DockerRegistry(tmp_path / "closed", htpasswd=asking) as closed:
        place.site = {"mirror": f"{closed.host}/mirror"}
        found = place.check()
    assert found["oci_registry"]["state"] == "ok"
    assert found["mirror"]["state"] == "failed"
    assert found["mirror"]["remedy"]


def test_an_image_that_is_not_there_is_told(place: Place) -> None:
    place.claim("10Gi")
    gone = f"{place.oci_registry.host}/base/busybox@sha256:{'e' * 64}"
    place.site = {"images": {"base": place.image, "python": place.image, "skopeo": gone}}
    found = place.check()["images.skopeo"]
    assert (found["state"], found["what"]) == ("failed", f"{gone} is not there")
    assert "images.skopeo in the site file" in found["remedy"]


def test_servers_that_are_away_are_findings_and_no_end(place: Place) -> None:
    place.claim("10Gi")
    place.site = {"model_registry": "http://127.0.0.1:1"}
    found = place.check("--model-registry", "http://127.0.0.1:1")
    assert found["model_registry"]["state"] == "failed"
    assert found["runtime"]["state"] == "ok"


@pytest.mark.parametrize(("enabled", "state"), [(True, "ok"), (False, "failed")])
def test_whether_kserve_serves_images_is_looked_up(place: Place, enabled: bool, state: str) -> None:
    place.claim("10Gi")
    there = place.kube.request("GET", "/api/v1/namespaces")["items"]
    if "opendatahub" not in {one["metadata"]["name"] for one in there}:
        body = {"metadata": {"name": "opendatahub"}}
        place.kube.request("POST", "/api/v1/namespaces", body)
    data = {"storageInitializer": json.dumps({"enableModelcar": enabled})}
    path = "/api/v1/namespaces/opendatahub/configmaps"
    body = {"metadata": {"name": "inferenceservice-config"}, "data": data}
    place.kube.request("POST", path, body)
    try:
        assert place.check()["kserve"]["state"] == state
    finally:
        place.kube.request("DELETE", f"{path}/inferenceservice-config")


def test_without_a_namespace_the_cluster_is_unknown(place: Place) -> None:
    place.site = {"namespace": ""}
    found = place.check()
    assert found["cluster"]["state"] == "unknown"
    assert "rights" not in found


def test_a_bad_ca_bundle_is_the_first_finding(place: Place) -> None:
    place.claim("10Gi")
    bundle = place.folder / "ca.pem"
    bundle.write_text("no certificate")
    found = place.check(MODELCAR_CA_BUNDLE=str(bundle))["ca"]
    assert found["state"] == "failed"
    assert "MODELCAR_CA_BUNDLE" in found["remedy"]
