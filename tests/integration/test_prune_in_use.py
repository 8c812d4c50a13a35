"""`modelcar prune` keeps what a Model Registry or an InferenceService names, on real ones."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.byte_path import modelcar, refused, told
from tests.prune_runs import BOTH, Build, actions, builder, copied, parts, prune, reasons, tag
from tests.servers.docker_registry import DockerRegistry
from tests.servers.kserve import GROUP, PLURAL, VERSION
from tests.servers.kube import KubeServer
from tests.servers.model_registry import ModelRegistryServer


@pytest.fixture
def place(oci_registry: DockerRegistry, repository: str) -> str:
    return f"{oci_registry.host}/{repository}"


@pytest.fixture
def build(tmp_path: Path, place: str) -> Build:
    return builder(tmp_path, place)


def register(folder: Path, place: str, digest: str, url: str, *more: str) -> None:
    """Register the image as version 1 of the model `tiny`."""
    (folder / "models").mkdir(exist_ok=True)
    text = 'name: tiny\nsource: hf://example/tiny\nversion: "1"\n'
    (folder / "models/tiny.yaml").write_text(text)
    argv = ["register", "tiny", "--image", f"{place}@{digest}", "--model-registry", url]
    told(modelcar(folder, *argv, "--json", *more))


def test_what_the_model_registry_names_stays(tmp_path: Path, place: str, build: Build) -> None:
    before, now, mirrored, free, newest = map(build, ("1", "2", "3", "4", "5"))
    with ModelRegistryServer(newer=True) as registry:
        for number in range(250):  # several pages
            registry.store.create("model", "", {"name": f"other-{number}"})
            registry.store.create("artifact", "0", {"uri": f"oci://quay.example/a:{number}"})
        register(tmp_path, place, before, registry.url)
        register(tmp_path, place, now, registry.url, "--move-version")
        text = {"string_value": f"m.example/m@{mirrored}", "metadataType": "MetadataStringValue"}
        fields = {"name": "elsewhere", "customProperties": {"mirror": text}, "state": "NEW_STATE"}
        registry.store.create("version", "1", {**fields, "registeredModelId": "1"})

        registry.requests.clear()

        options = ("--keep", "1", "--unchecked-cluster", "--json")
        done = prune(tmp_path, place, *options, "--model-registry", registry.url)
        asked = [seen.method for seen in registry.requests]

    assert actions(done) == {
        newest: "keep",
        free: "delete",
        **dict.fromkeys((before, now, mirrored), "keep"),
    }
    assert reasons(done)[now].startswith("named by model artifact tiny (id ")
    assert reasons(done)[before].startswith("named by model version 1 (id ")
    # Two for the version of the API, 3 pages of models, one of versions, 3 of artifacts.
    assert asked == ["GET"] * 9


def test_a_named_index_without_a_tag_keeps_its_images(
    tmp_path: Path, place: str, build: Build
) -> None:
    named = build("2", *BOTH)
    images = parts(place, "2")
    tag(place, images[0], "1-amd64")
    newest = build("2")
    with ModelRegistryServer() as registry:
        registry.store.create("artifact", "0", {"uri": f"oci://{place}@{named}"})
        options = ("--keep", "1", "--unchecked-cluster", "--json")
        done = prune(tmp_path, place, *options, "--model-registry", registry.url)

    assert actions(done) == dict.fromkeys([newest, named, *images], "keep")
    assert copied(tmp_path, f"{place}@{named}") == ""


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (
            ["--unchecked-cluster"],
            ("no Model Registry is named", "; or go on without asking it: --unchecked-model-regis"),
        ),
        (
            ["--unchecked-cluster", "--model-registry", "http://127.0.0.1:1"],
            ("Model Registry at http://127.0.0.1:1", "--unchecked-model-registry"),
        ),
        (
            ["--unchecked-model-registry"],
            ("connecting to the cluster", "; or go on without asking it: --unchecked-cluster"),
        ),
    ],
)
def test_who_cannot_be_asked_ends_it_before_anything_is_deleted(
    tmp_path: Path,
    oci_registry: DockerRegistry,
    options: list[str],
    parts: tuple[str, ...],
) -> None:
    before = len(oci_registry.asked())
    nowhere = {"KUBECONFIG": str(tmp_path / "absent")}
    done = prune(tmp_path, f"{oci_registry.host}/any", "--keep", "1", *options, **nowhere)

    refused(done, *parts, code=2 if "no Model Registry is named" in parts[0] else 1)
    assert len(oci_registry.asked()) == before


@pytest.fixture
def namespace(kube: KubeServer) -> str:
    name = f"ml-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def serve(
    kube: KubeServer, namespace: str, name: str, predictor: dict[str, Any], **notes: str
) -> None:
    """Create an InferenceService; a note is an annotation of ours."""
    annotations = {f"modelcar-pipelines.io/{key}": text for key, text in notes.items()}
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
    head = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "InferenceService"}
    metadata = {"name": name, "annotations": annotations}
    body = {**head, "metadata": metadata, "spec": {"predictor": predictor}}
    kube.request("POST", path, body)


def vllm(uri: str) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "vLLM"}, "storageUri": uri}}


def allow_listing(kube: KubeServer, namespace: str) -> None:
    """Let the user `pipeline` list the InferenceServices of one namespace."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["list"]}]
    kube.request("POST", f"{rbac}/roles", {"metadata": {"name": "look"}, "rules": rules})
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "look"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "look"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "pipeline"}],
    }
    kube.request("POST", f"{rbac}/rolebindings", binding)


def test_what_inference_services_name_stays(
    tmp_path: Path, kube: KubeServer, namespace: str, place: str, build: Build
) -> None:
    index = build("0.1", *BOTH)
    by_digest, by_tag, by_argument = map(build, ("1", "2", "3"))
    before, free, newest = map(build, ("4", "5", "6"))
    path = place.partition("/")[2]
    noted = {"previous-image": f"oci://{place}@{before}"}
    serve(kube, namespace, "digest", vllm(f"oci://{place}@{by_digest}"), **noted)
    serve(kube, namespace, "tag", vllm(f"oci://oci-registry.svc:5000/{path}:2"))
    arguments = [f"--model=oci://{place}@{by_argument}"]
    container = {"name": "kserve-container", "image": "quay.example/vllm:1", "args": arguments}
    serve(kube, namespace, "argument", {"containers": [container]})
    served_part = parts(place, "0.1")[0]
    serve(kube, namespace, "part", vllm(f"oci://{place}@{served_part}"))

    config = {"KUBECONFIG": str(kube.kubeconfig())}
    options = ("--keep", "1", "--unchecked-model-registry", "--json")
    done = prune(tmp_path, place, *options, **config)

    staying = dict.fromkeys([by_digest, by_tag, by_argument, before, newest, index], "keep")
    assert actions(done) == {
        free: "delete",
        **staying,
        **dict.fromkeys(parts(place, "0.1"), "keep"),
    }
    why = f"named by InferenceService {namespace}/"
    assert (reasons(done)[by_digest], reasons(done)[by_tag]) == (f"{why}digest", f"{why}tag")
    assert reasons(done)[index] == f"holds {served_part[7:19]}, {why}part"
    assert "the InferenceServices of all namespaces are looked at" in done.stderr
    assert copied(tmp_path, f"{place}@{index}") == ""


@pytest.mark.parametrize("named", [True, False])
def test_without_the_right_to_list_all_only_namespaces_are_looked_at(
    tmp_path: Path, kube: KubeServer, namespace: str, place: str, build: Build, named: bool
) -> None:
    served, free, newest = map(build, ("1", "2", "3"))
    serve(kube, namespace, "tiny", vllm(f"oci://{place}@{served}"))
    allow_listing(kube, namespace)
    current = "default" if named else namespace
    config = {"KUBECONFIG": str(kube.kubeconfig("pipeline", current))}
    options = ["--keep", "1", "--unchecked-model-registry", "--json"]

    done = prune(tmp_path, place, *options, *(["-n", namespace] if named else []), **config)

    assert actions(done) == {served: "keep", free: "delete", newest: "keep"}
    assert f"only the InferenceServices in {namespace} are looked at" in done.stderr


def test_a_namespace_that_may_not_be_listed_ends_it(
    tmp_path: Path, kube: KubeServer, namespace: str, place: str, build: Build
) -> None:
    old = build("1")
    build("2")
    allow_listing(kube, namespace)
    config = {"KUBECONFIG": str(kube.kubeconfig("pipeline"))}
    options = ["--keep", "1", "--unchecked-model-registry", "-n", namespace, "-n", "default"]

    done = prune(tmp_path, place, *options, **config)

    refused(done, "InferenceServices of namespace default", "403", "--unchecked-cluster")
    assert copied(tmp_path, f"{place}@{old}") == ""
