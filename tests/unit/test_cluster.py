from pathlib import Path

import certifi
import pytest
import yaml

from modelcar import cluster
from modelcar.errors import DeployError

# Any certificate will do for a file that is only read: none is verified here.
CA = Path(certifi.where()).read_text(encoding="utf-8")


def kubeconfig(folder: Path, namespace: str = "ml") -> str:
    context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://api.example.com:6443"}}],
        "users": [{"name": "u", "user": {"token": "sha256~C4naryBird"}}],
        "contexts": [{"name": "x", "context": context}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a service account's folder, as in a pod."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for name, text in (("token", "C4naryBird-pod"), ("namespace", "team-a\n"), ("ca.crt", CA)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a service account's folder is not, in a home without a kubeconfig."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "none"


def test_a_kubeconfig_says_where_as_whom_and_in_which_namespace(
    tmp_path: Path, laptop: Path
) -> None:
    path = kubeconfig(tmp_path)

    api = cluster.connect(path, service_account=laptop)

    assert api.configuration.host == "https://api.example.com:6443"
    assert cluster.own_token(api) == "sha256~C4naryBird"
    assert cluster.namespace("", path, service_account=laptop) == "ml"


def test_kubeconfig_is_read_when_it_is_needed(
    tmp_path: Path, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path))

    api = cluster.connect(service_account=laptop)

    assert api.configuration.host == "https://api.example.com:6443"
    assert cluster.namespace(service_account=laptop) == "ml"


def test_a_pod_speaks_as_its_service_account(pod: Path) -> None:
    api = cluster.connect(service_account=pod)

    assert api.configuration.host == "https://10.0.0.1:443"
    assert cluster.own_token(api) == "C4naryBird-pod"
    assert cluster.namespace(service_account=pod) == "team-a"


def test_a_kubeconfig_that_is_named_wins_in_a_pod(
    pod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path))

    assert cluster.own_token(cluster.connect(service_account=pod)) == "sha256~C4naryBird"
    assert cluster.namespace(service_account=pod) == "ml"


def test_the_namespace_that_is_given_wins(pod: Path) -> None:
    assert cluster.namespace("other", service_account=pod) == "other"


def test_without_a_cluster_the_way_in_is_told(laptop: Path) -> None:
    with pytest.raises(DeployError, match="log in with `oc login`"):
        cluster.connect(service_account=laptop)
    with pytest.raises(DeployError, match="log in with `oc login`"):
        cluster.namespace(service_account=laptop)


def test_a_kubeconfig_that_is_no_yaml_is_told(laptop: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("a: [")

    with pytest.raises(DeployError, match="connecting to the cluster: "):
        cluster.connect(str(path), service_account=laptop)


def test_the_default_namespace_is_never_assumed(tmp_path: Path, laptop: Path) -> None:
    with pytest.raises(DeployError, match="names none; name one with --namespace"):
        cluster.namespace("", kubeconfig(tmp_path, namespace=""), service_account=laptop)


def test_a_ca_file_that_is_none_is_named(pod: Path) -> None:
    (pod / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    with pytest.raises(DeployError, match=r"CA file .*ca\.crt: .*name its CA's file"):
        cluster.connect(service_account=pod)
