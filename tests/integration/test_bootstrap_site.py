"""What differs from one cluster to the next: the site file, and Open Data Hub's namespaces."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar.bootstrap.asked import Request
from modelcar.bootstrap.removal import remove
from tests.byte_path import refused, told
from tests.ready_namespace import (
    BESIDE,
    EVERYTHING,
    OPEN_DATA_HUB,
    Cluster,
    drop_namespace,
    make_namespace,
    openshift_namespace,
    route,
)
from tests.servers.certificate import self_signed
from tests.servers.kube import KubeServer

MINE = "https://mine-rest.apps.example.com"
OTHER = "https://other-rest.apps.example.com"


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    with openshift_namespace(kube, tmp_path) as found:
        yield found


def site(cluster: Cluster, name: str = "site.yaml", **fields: str) -> None:
    (cluster.folder / name).write_text(json.dumps(fields))


def pem(cluster: Cluster) -> str:
    """Write ca.pem, and return its text."""
    certificate, _ = self_signed(cluster.folder / "ca")
    return certificate.rename(cluster.folder / "ca.pem").read_text()


def config(cluster: Cluster) -> dict[str, str]:
    return cluster.secret("model-registry-config")


def test_the_site_file_names_namespace_claim_and_model_registry(cluster: Cluster) -> None:
    fields = {"model_registry": MINE, "model_registry_ca": "ca.pem", "pvc": "weights"}
    site(cluster, namespace=cluster.namespace, **fields)
    ca = pem(cluster)
    kubeconfig = str(cluster.kube.kubeconfig(namespace="elsewhere"))

    told(cluster.run("--json", KUBECONFIG=kubeconfig))

    assert config(cluster) == {"url": MINE, "ca.crt": ca}
    assert "persistentvolumeclaims/weights" in cluster.versions()
    assert "persistentvolumeclaims/modelcar" not in cluster.versions()
    told(cluster.run("--json", "--remove", "--with-pvc", KUBECONFIG=kubeconfig))
    assert cluster.get("persistentvolumeclaims/weights")["metadata"]["deletionTimestamp"]


def test_what_is_given_counts_before_the_site_file(cluster: Cluster) -> None:
    site(cluster, "else.yaml", namespace="elsewhere", model_registry=MINE)
    (cluster.folder / ".env").write_text(f"MODEL_REGISTRY_URL={OTHER}\n")
    cluster.ready("--site", "else.yaml", "-n", cluster.namespace)
    assert config(cluster) == {"url": OTHER}


@pytest.mark.parametrize(
    ("named", "ours", "kept"),
    [(OTHER, MINE, False), (f"{MINE}/", MINE, True), (OTHER, "", True), ("", "", True)],
)
def test_a_ca_file_holds_for_the_sites_own_model_registry(
    cluster: Cluster, named: str, ours: str, kept: bool
) -> None:
    site(cluster, model_registry=ours, model_registry_ca="ca.pem")
    ca = pem(cluster)
    (cluster.folder / ".env").write_text(f"HF_TOKEN=C4naryBird\nMODEL_REGISTRY_URL={named}\n")
    cluster.ready()
    assert config(cluster).get("ca.crt") == (ca if kept else None)


def test_a_ca_that_is_no_longer_given_stays(cluster: Cluster) -> None:
    site(cluster, model_registry_ca="ca.pem")
    ca = pem(cluster)
    cluster.ready()
    (cluster.folder / "site.yaml").unlink()
    cluster.ready()
    assert config(cluster)["ca.crt"] == ca


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "No such file or directory"), ("hello", "it holds no certificate in PEM")],
)
def test_a_bad_ca_file_is_one_line(cluster: Cluster, text: str | None, why: str) -> None:
    site(cluster, model_registry_ca="ca.pem")
    if text is not None:
        (cluster.folder / "ca.pem").write_text(text)
    line = f"CA file ca.pem: {why}; name a file of certificates in PEM as model_registry_ca in the "
    refused(cluster.run(), line, code=2)


@pytest.mark.parametrize(("mirror", "said"), [("", 1), ("quay.io/team", 0)])
def test_where_the_organization_goes_is_said_once(cluster: Cluster, mirror: str, said: int) -> None:
    site(cluster, mirror=mirror)
    (cluster.folder / ".env").write_text("QUAY_ORGANIZATION=team\n")
    done = cluster.run("--env-file", ".env", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("write `mirror: quay.io/team` in site.yaml") == said


@pytest.fixture
def both(cluster: Cluster) -> Iterator[Cluster]:
    """Have Open Data Hub's namespaces stand beside OpenShift AI's."""
    for name in OPEN_DATA_HUB:
        make_namespace(cluster.kube, name)
    yield cluster


@pytest.fixture
def open_data_hub(both: Cluster) -> Iterator[Cluster]:
    """Have only Open Data Hub's namespaces stand."""
    for name in BESIDE:
        drop_namespace(both.kube, name)
    yield both
    for name in BESIDE:
        make_namespace(both.kube, name)


def places(cluster: Cluster) -> set[str]:
    """Return the namespaces of OpenShift AI where something of ours stands."""
    return {one.partition("/")[0] for one in cluster.beside()} - {""}


def test_the_rights_are_bound_where_the_route_stands(both: Cluster) -> None:
    with route(both.kube, "other", OPEN_DATA_HUB[1]):
        both.done(values={"MODEL_REGISTRY_URL": OTHER})
    assert places(both) == {"redhat-ods-applications", "odh-model-registries"}
    list(remove(both.kube.client(), Request(both.namespace)))
    assert not both.beside()


def test_with_only_open_data_hub_the_rights_are_bound_there(open_data_hub: Cluster) -> None:
    open_data_hub.done(values={"MODEL_REGISTRY_URL": OTHER})
    assert places(open_data_hub) == {"opendatahub", "odh-model-registries"}
    list(remove(open_data_hub.kube.client(), Request(open_data_hub.namespace)))
    assert not open_data_hub.beside()


@pytest.mark.parametrize(
    ("visible", "place"), [((), BESIDE), (OPEN_DATA_HUB, OPEN_DATA_HUB), (BESIDE, BESIDE)]
)
def test_of_namespaces_that_are_hidden_openshift_ais_is_taken(
    both: Cluster, caplog: pytest.LogCaptureFixture, visible: tuple[str, ...], place: tuple[str]
) -> None:
    both.kube.grant(both.namespace, EVERYTHING)
    names = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    both.kube.grant_cluster({**names, "resourceNames": [*visible, "none"]})
    try:
        done = both.done("pipeline", values={"MODEL_REGISTRY_URL": OTHER})
    finally:
        both.kube.revoke_cluster()
    beside = [one.namespace for one in done if one.namespace != both.namespace]
    assert set(beside) - {""} == set(place)
    said = f"namespace {place[0]} may not be looked up; taking it to be there"
    assert (said in caplog.text) == (not visible)
