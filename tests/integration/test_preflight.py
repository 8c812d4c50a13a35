"""The checks before a run, against a real API server, a real OCI registry and a Hub."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modelcar.oci.reference import DigestReference
from tests.byte_path import REPO, modelcar, tiny
from tests.gpu_pool import GpuPool
from tests.servers import openshift
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer
from tests.servers.model_registry import ModelRegistryServer

CONFIG = (
    b'{"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 2,'
    b' "num_key_value_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 256,'
    b' "torch_dtype": "bfloat16"}'
)


@dataclass
class Place:
    """A namespace that is ready, with all the servers around it."""

    kube: KubeServer
    namespace: str
    folder: Path
    hub: HubServer
    oci_registry: DockerRegistry
    model_registry: ModelRegistryServer
    image: str
    """One that stands."""
    serving: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)

    def check(self, *options: str, user: str = "admin", **variables: str) -> dict[str, Any]:
        """Run preflight, and return its findings by check; of several the worst."""
        entry = {"name": "tiny", "source": f"hf://{REPO}", "version": "1", "serving": self.serving}
        (self.folder / "tiny.yaml").write_text(json.dumps(entry))
        site = {
            "oci_registry": f"{self.oci_registry.host}/models",
            "mirror": f"{self.oci_registry.host}/mirror",
            "model_registry": self.model_registry.url,
            "namespace": self.namespace,
            "images": dict.fromkeys(("base", "python", "skopeo"), self.image),
            **self.site,
        }
        (self.folder / "site.yaml").write_text(json.dumps(site))
        given = {"KUBECONFIG": str(self.kube.kubeconfig(user, self.namespace))}
        given |= {"HF_ENDPOINT": self.hub.url, **variables}
        done = modelcar(self.folder, "preflight", "tiny.yaml", "--json", *options, **given)
        self.done: subprocess.CompletedProcess[str] = done
        assert "Traceback" not in done.stderr, done.stderr
        order = ("ok", "unknown", "warning", "failed")
        found: dict[str, Any] = {}
        for one in sorted(json.loads(done.stdout), key=lambda one: order.index(one["state"])):
            found[one["check"]] = one
        return found

    def path(self, rest: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{rest}"

    def claim(self, size: str, phase: str = "Bound") -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        body = {"metadata": {"name": "modelcar"}, "spec": spec}
        self.kube.request("POST", self.path("persistentvolumeclaims"), body)
        status = {"phase": phase, "capacity": {"storage": size}}
        path = self.path("persistentvolumeclaims/modelcar/status")
        self.kube.request("PATCH", path, {"status": status}, MERGE)


@pytest.fixture(scope="session")
def image(base: DigestReference, oci_registry: DockerRegistry) -> str:
    """Return an image that stands at the OCI registry, by its digest."""
    repository = f"{oci_registry.host}/base/busybox"
    places = [f"{base.location}:{base.tag}", f"docker://{repository}:1"]
    options = ["--quiet", "--preserve-digests", "--dest-tls-verify=false"]
    subprocess.run(["skopeo", "copy", *options, *places], check=True)
    return f"{repository}@{base.digest}"


@pytest.fixture
def place(
    kube: KubeServer, oci_registry: DockerRegistry, image: str, tmp_path: Path
) -> Iterator[Place]:
    namespace = f"pre-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    files = tiny(config=CONFIG)
    with HubServer({REPO: files}) as hub, ModelRegistryServer() as model_registry:
        found = Place(kube, namespace, tmp_path, hub, oci_registry, model_registry, image)
        runtimes = f"/apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/servingruntimes"
        kube.request("POST", runtimes, openshift.runtime("vllm-cuda-runtime"))
        pool = GpuPool(kube)
        pool.node("a")
        found.serving = {"node_selector": pool.selector}
        yield found


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
    htpasswd = tmp_path / "htpasswd"
    made = subprocess.run(["htpasswd", "-Bbn", "robot", "x"], capture_output=True, check=True)
    htpasswd.write_bytes(made.stdout)
    with DockerRegistry(tmp_path / "closed", htpasswd=htpasswd) as closed:
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
