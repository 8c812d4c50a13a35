import base64
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from modelcar import trust
from modelcar.errors import ImageError
from modelcar.oci import auth
from modelcar.oci.auth import Credential
from modelcar.oci.reference import Repository
from tests.auth_files import SECRET, entry, write

QUAY = Repository("quay.io", "org/team/name")
INTERNAL = Repository("image-registry.openshift-image-registry.svc:5000", "models/x")


def found(repository: Repository) -> str | None:
    credential = auth.find(repository)
    return credential.username if credential else None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    for name in ("XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(auth, "RUN", tmp_path / "run-containers")
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", tmp_path / "service-account")
    return tmp_path


def test_the_first_auth_file_with_a_credential_wins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(QUAY) is None
    for place in (
        ".docker/config.json",
        ".config/containers/auth.json",
        "run/containers/auth.json",
    ):
        write(home / place, **{"quay.io": entry(place)})
        assert found(QUAY) == place
    write(home / "run/containers/auth.json", **{"ghcr.io": entry("other"), "quay.io": {}})
    assert found(QUAY) == ".config/containers/auth.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(home / "named", **{"quay.io": entry("me")})))
    assert found(QUAY) == "me"


def test_the_places_of_auth_files_follow_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "docker"))
    write(home / "docker/config.json", **{"quay.io": entry("docker")})
    assert found(QUAY) == "docker"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    write(home / "xdg/containers/auth.json", **{"quay.io": entry("xdg")})
    assert found(QUAY) == "xdg"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    write(auth.RUN / f"{os.getuid()}/auth.json", **{"quay.io": entry("root")})
    assert found(QUAY) == "root"


def test_a_file_is_read_anew_each_time(home: Path) -> None:
    for name in ("first", "second"):
        write(home / ".docker/config.json", **{"quay.io": entry(name)})
        assert found(QUAY) == name


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


@pytest.mark.parametrize(
    "key",
    [
        "quay.io",
        "quay.io/",
        "Quay.IO",
        "https://quay.io",
        "https://QUAY.io/",
        "http://quay.io",
        "https://quay.io/v1/",
        "https://quay.io/v2",
        "https://quay.io/org",
    ],
)
def test_a_key_may_be_written_as_docker_does(home: Path, key: str) -> None:
    write(home / ".docker/config.json", **{key: entry("me", "C4naryBird:word")})
    assert auth.find(QUAY) == Credential("me", "C4naryBird:word")


@pytest.mark.parametrize(
    "key",
    [
        "quay.io:443",
        "https://quay.io:443/v1/",
        "evilquay.io",
        "io",
        "quay.io.evil.com",
        "quay.io/other",
        "quay.io/v1",
        "quay.io/Org",
        "https://quay.io@evil.com",
        "index.docker.io",
        "",
        "https://",
    ],
)
def test_a_credential_of_another_host_is_not_sent(home: Path, key: str) -> None:
    write(home / ".docker/config.json", **{key: entry("me")})
    assert auth.find(QUAY) is None


def test_a_port_belongs_to_the_host(home: Path) -> None:
    write(home / ".docker/config.json", **{"https://Registry.Example:5000/v2/": entry("me")})
    assert found(Repository("registry.example:5000", "x")) == "me"
    assert found(Repository("REGISTRY.example:5000", "x")) == "me"
    assert found(Repository("registry.example", "x")) is None
    assert found(Repository("registry.example:50", "x")) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [("https://quay.io", "quay.io"), ("https://quay.io/v1/", "https://quay.io")],
)
def test_an_entry_with_a_credential_outdoes_an_empty_one(
    home: Path, first: str, second: str
) -> None:
    for entries in ({first: entry("me"), second: {}}, {second: {}, first: entry("me")}):
        write(home / ".docker/config.json", **entries)
        assert found(QUAY) == "me"
    write(home / ".docker/config.json", **{"quay.io/org": {}, "quay.io": entry("whole host")})
    assert found(QUAY) == "whole host"


def test_the_plain_key_outdoes_an_address(home: Path) -> None:
    for entries in (
        {"https://quay.io": entry("old"), "quay.io": entry("new")},
        {"quay.io": entry("new"), "https://quay.io": entry("old")},
    ):
        write(home / ".docker/config.json", **entries)
        assert found(QUAY) == "new"


PAIR = {"username": "field", "password": "C4naryBird:word"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (PAIR, Credential("field", "C4naryBird:word")),
        ({**PAIR, "auth": ""}, Credential("field", "C4naryBird:word")),
        ({**PAIR, "email": "me@x", **entry("encoded")}, Credential("encoded", SECRET)),
        (entry("", "C4naryBird-token"), Credential("", "C4naryBird-token")),
        ({**entry("me"), "identitytoken": "", "registrytoken": None}, Credential("me", SECRET)),
    ],
)
def test_an_entry_holds_a_user_and_a_password(home: Path, value: Any, expected: Credential) -> None:
    write(home / ".docker/config.json", **{"quay.io": value})
    assert auth.find(QUAY) == expected


@pytest.mark.parametrize("value", [{}, {"auth": ""}, {"email": "me@x"}, "text", None])
def test_an_entry_without_a_credential_means_anonymous(home: Path, value: Any) -> None:
    write(home / ".docker/config.json", **{"quay.io": value})
    assert auth.find(QUAY) is None


@pytest.mark.parametrize(
    "content",
    [
        '{"auths": {"quay.io": {"auth": "C4naryBird"',
        "C4naryBird",
        '["C4naryBird"]',
        '"C4naryBird"',
        "null",
        '{"quay.io": {"auth": "C4naryBird"}}',
        '{"auths": ["C4naryBird"]}',
        '{"auths": "C4naryBird"}',
        b"\xffC4naryBird",
        '{"auths": {"quay.io": {"auth": "hünter2"}}}',
        '{"auths": {"quay.io": {"auth": "me:C4naryBird"}}}',
        '{"auths": {"quay.io": {"auth": "C4naryBirdx="}}}',
        '{"auths": {"quay.io": {"auth": ["C4naryBird"]}}}',
        '{"auths": {"quay.io": {"auth": 42}}}',
        '{"auths": {"quay.io": {"username": "C4naryBird", "password": 42}}}',
        '{"auths": {"quay.io": {"username": ["C4naryBird"], "password": "C4naryBird"}}}',
        '{"auths": {}, "credHelpers": "C4naryBird"}',
        json.dumps({"auths": {"quay.io": {"auth": base64.b64encode(b"C4naryBird").decode()}}}),
        json.dumps({"auths": {"quay.io": {"auth": base64.b64encode(b"\xffC4naryBird").decode()}}}),
    ],
)
def test_a_broken_file_is_refused_and_never_repeated(home: Path, content: str | bytes) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ImageError) as caught:
        auth.find(QUAY)
    told = "".join(traceback.format_exception(caught.value))
    assert "C4naryBird" not in told + repr(caught.value.__cause__)
    assert "skopeo login --authfile" in caught.value.remedy


def test_a_password_is_not_shown() -> None:
    assert "C4naryBird" not in repr(Credential("me", "C4naryBird"))


def test_the_clusters_own_oci_registry_takes_the_service_account(home: Path) -> None:
    assert auth.find(INTERNAL) is None
    (home / "service-account").mkdir()
    (home / "service-account/token").write_text("C4naryBird\n")
    assert auth.find(INTERNAL) == Credential("serviceaccount", "C4naryBird")
    write(home / ".docker/config.json", **{INTERNAL.host: entry("me")})
    assert found(INTERNAL) == "me"


@pytest.mark.parametrize("host", ["quay.io", "svc.evil.com", "x.svc.evil.com:5000", "notsvc.io"])
def test_the_service_account_token_leaves_the_cluster_for_nobody(home: Path, host: str) -> None:
    (home / "service-account").mkdir()
    (home / "service-account/token").write_text("C4naryBird")
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


@pytest.mark.parametrize(
    "host", ["docker.io", "index.docker.io", "registry-1.docker.io", "Docker.io"]
)
@pytest.mark.parametrize(
    "key", ["docker.io", "https://index.docker.io/v1/", "index.docker.io/v1", "docker.io/me"]
)
def test_the_names_of_docker_hub_are_one(home: Path, host: str, key: str) -> None:
    write(home / ".docker/config.json", **{key: entry("me")})
    assert found(Repository(host, "me/x")) == "me"


def test_a_folder_in_the_place_of_a_file_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home))
    with pytest.raises(ImageError, match="Is a directory; name a readable file"):
        auth.find(QUAY)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(home / "file") / "below"))
    assert found(QUAY) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_a_home_is_anonymous() -> None:
    """As OpenShift's arbitrary user ids are where HOME is not set."""
    program = (
        "import os; from modelcar.oci import auth, reference\n"
        "os.environ.clear(); os.setuid(1000650000)\n"
        "print(auth.find(reference.Repository('quay.io', 'x')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "None\n", done.stderr


def test_a_renewed_service_account_token_is_read(home: Path) -> None:
    (home / "service-account").mkdir()
    for token in ("C4naryBird-1", "C4naryBird-2"):
        (home / "service-account/token").write_text(f"{token}\n")
        assert auth.find(INTERNAL) == Credential("serviceaccount", token)
