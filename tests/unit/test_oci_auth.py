import base64
import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from modelcar import trust
from modelcar.errors import ImageError
from modelcar.oci import auth
from modelcar.oci.auth import Credential
from modelcar.oci.reference import Repository

QUAY = Repository("quay.io", "org/team/name")
INTERNAL = Repository("image-registry.openshift-image-registry.svc:5000", "models/x")


def entry(username: str, password: str = "secret") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def write(path: Path, **entries: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": entries}))
    return path


def found(repository: Repository) -> str | None:
    credential = auth.find(repository)
    return credential.username if credential else None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path / "service-account")
    return tmp_path


def test_the_first_auth_file_that_exists_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(QUAY) is None
    for place in (
        ".docker/config.json",
        ".config/containers/auth.json",
        "run/containers/auth.json",
    ):
        write(home / place, **{"quay.io": entry(place)})
        assert found(QUAY) == place
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert found(QUAY) == ".config/containers/auth.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(home / "named", **{"quay.io": entry("me")})))
    assert found(QUAY) == "me"


def test_a_named_file_that_is_absent_means_anonymous(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".docker/config.json", **{"quay.io": entry("docker")})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "absent"))
    assert found(QUAY) is None


def test_the_longest_key_wins(home: Path) -> None:
    entries: dict[str, Any] = {"team/name": entry("no"), "quay.io/org/te": entry("no")}
    assert found(QUAY) is None
    for key in ("quay.io", "quay.io/org", "quay.io/org/team", "quay.io/org/team/name"):
        entries[key] = entry(key)
        write(home / ".docker/config.json", **entries)
        assert found(QUAY) == key


@pytest.mark.parametrize("key", ["quay.io", "https://quay.io", "https://quay.io/", "quay.io/"])
def test_a_key_may_be_written_as_docker_does(home: Path, key: str) -> None:
    write(home / ".docker/config.json", **{key: entry("me", "pass:word")})
    assert auth.find(QUAY) == Credential("me", "pass:word")


@pytest.mark.parametrize(
    "key", ["quay.io:443", "evilquay.io", "io", "quay.io.evil.com", "quay.io/other"]
)
def test_a_credential_of_another_host_is_not_sent(home: Path, key: str) -> None:
    write(home / ".docker/config.json", **{key: entry("me")})
    assert auth.find(QUAY) is None


@pytest.mark.parametrize("value", [{}, {"auth": ""}, {"email": "me@x"}, "text", None])
def test_an_entry_without_a_credential_means_anonymous(home: Path, value: Any) -> None:
    write(home / ".docker/config.json", **{"quay.io": value})
    assert auth.find(QUAY) is None


@pytest.mark.parametrize(
    "content",
    [
        '{"auths": {"quay.io": {"auth": "hunter2"',
        "hunter2",
        '["hunter2"]',
        '"hunter2"',
        "null",
        '{"quay.io": {"auth": "hunter2"}}',
        '{"auths": ["hunter2"]}',
        '{"auths": "hunter2"}',
        b"\xffhunter2",
        '{"auths": {"quay.io": {"auth": "hünter2"}}}',
        '{"auths": {"quay.io": {"auth": "me:hunter2"}}}',
        '{"auths": {"quay.io": {"auth": "hunter2x="}}}',
        '{"auths": {"quay.io": {"auth": ["hunter2"]}}}',
        '{"auths": {"quay.io": {"auth": 42}}}',
        json.dumps({"auths": {"quay.io": {"auth": base64.b64encode(b"\xffhunter2").decode()}}}),
    ],
)
def test_a_broken_file_is_refused_and_never_repeated(home: Path, content: str | bytes) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ImageError) as caught:
        auth.find(QUAY)
    told = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in told + repr(caught.value.__cause__)
    assert "skopeo login --authfile" in caught.value.remedy


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Credential("me", "hunter2"))


def test_the_clusters_own_oci_registry_takes_the_service_account(home: Path) -> None:
    assert auth.find(INTERNAL) is None
    (home / "service-account").mkdir()
    (home / "service-account/token").write_text("token\n")
    assert auth.find(INTERNAL) == Credential("serviceaccount", "token")
    write(home / ".docker/config.json", **{INTERNAL.host: entry("me")})
    assert found(INTERNAL) == "me"


@pytest.mark.parametrize("host", ["quay.io", "svc.evil.com", "x.svc.evil.com:5000", "notsvc.io"])
def test_the_service_account_token_leaves_the_cluster_for_nobody(home: Path, host: str) -> None:
    (home / "service-account").mkdir()
    (home / "service-account/token").write_text("token")
    assert auth.find(Repository(host, "x")) is None


def test_docker_hub_goes_by_the_name_that_docker_gives_it(home: Path) -> None:
    write(home / ".docker/config.json", **{"https://index.docker.io/v1/": entry("me")})
    assert found(Repository("docker.io", "me/x")) == "me"
    assert found(Repository("quay.io", "me/x")) is None


def test_an_auth_file_that_cannot_be_read_is_named(home: Path) -> None:
    path = write(home / ".docker/config.json")
    path.write_bytes(b"\xff")
    with pytest.raises(ImageError, match=str(path)):
        found(QUAY)
