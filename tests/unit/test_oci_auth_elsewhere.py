"""Credentials that an auth file names but does not hold, and files of another form."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import ImageError
from modelcar.oci import auth
from modelcar.oci.auth import Credential
from modelcar.oci.reference import Repository
from tests.auth_files import SECRET, entry

QUAY = Repository("quay.io", "org/team/name")


@pytest.fixture
def auth_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    return tmp_path / "auth.json"


REMEDY = "run `skopeo login --authfile FILE quay.io` and set REGISTRY_AUTH_FILE=FILE"


@pytest.mark.parametrize(
    "sections",
    [
        {"credHelpers": {"quay.io": "vault"}},
        {"credHelpers": {"https://Quay.io/": "vault"}, "auths": {}},
        {"credHelpers": {"quay.io": "vault"}, "auths": {"quay.io": {}}, "credsStore": "desktop"},
        {"auths": {"quay.io": {}}, "credsStore": "vault"},
        {"auths": {"https://quay.io/v1/": {"email": "me@x"}}, "credsStore": "vault"},
        {"auths": {"quay.io/org": {}}, "credsStore": "vault"},
    ],
)
def test_what_a_credential_helper_keeps_is_refused_with_the_way_out(
    auth_file: Path, sections: dict[str, Any]
) -> None:
    auth_file.write_text(json.dumps(sections))
    with pytest.raises(ImageError) as caught:
        auth.find(QUAY)
    assert caught.value.what == f"auth file {auth_file}"
    assert "docker-credential-vault, which is not run" in caught.value.why
    assert caught.value.remedy == REMEDY


@pytest.mark.parametrize("key", ["quay.io", "quay.io/org/team"])
def test_a_credential_in_the_file_outdoes_a_helper(auth_file: Path, key: str) -> None:
    helpers = {"credHelpers": {"quay.io": "vault"}, "credsStore": "desktop"}
    auth_file.write_text(json.dumps({"auths": {key: entry("me")}, **helpers}))
    assert auth.find(QUAY) == Credential("me", SECRET)


@pytest.mark.parametrize(
    "sections",
    [
        {"credsStore": "desktop"},
        {"credsStore": "desktop", "auths": {}},
        {"credsStore": "desktop", "auths": {"https://index.docker.io/v1/": {}}},
        {"credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}},
        {"credsStore": "desktop", "auths": None, "credHelpers": None},
    ],
)
def test_a_store_that_names_no_host_leaves_public_images_open(
    auth_file: Path, sections: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    auth_file.write_text(json.dumps(sections))
    with caplog.at_level(logging.INFO, "modelcar"):
        assert auth.find(QUAY) is None
    assert caplog.messages == [
        f"auth file {auth_file}: its store desktop is not asked about quay.io"
    ]


@pytest.mark.parametrize("sections", [{}, {"credHelpers": {}}, {"HttpHeaders": {"X-Team": "me"}}])
def test_docker_settings_without_any_login_mean_anonymous(
    auth_file: Path, sections: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    auth_file.write_text(json.dumps(sections))
    with caplog.at_level(logging.INFO, "modelcar"):
        assert auth.find(QUAY) is None
    assert not caplog.messages


@pytest.mark.parametrize(
    ("name", "words"), [("identitytoken", "an identity token"), ("registrytoken", "a bearer token")]
)
def test_a_token_that_only_docker_can_use_is_refused(
    auth_file: Path, name: str, words: str
) -> None:
    auth_file.write_text(json.dumps({"auths": {"quay.io": {**entry("me"), name: "C4naryBird"}}}))
    with pytest.raises(ImageError) as caught:
        auth.find(QUAY)
    assert str(caught.value) == (
        f"auth file {auth_file}: its entry quay.io is {words}, which is not taken; {REMEDY}"
    )
    assert auth.find(Repository("ghcr.io", "x")) is None, "it concerns its own host only"


@pytest.mark.parametrize("value", [entry("me"), {"username": "me", "password": SECRET}])
def test_the_older_form_of_the_file_is_named(auth_file: Path, value: dict[str, str]) -> None:
    auth_file.write_text(json.dumps({"quay.io": value}))
    with pytest.raises(ImageError, match=r"not below .auths.; the older form .dockercfg is not"):
        auth.find(QUAY)
