"""Which addresses of a Model Registry are taken, and as what."""

from pathlib import Path

import pytest

from modelcar.errors import UsageError
from modelcar.model_registry import Connection, configured


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("registry.example", "https://registry.example"),
        ("registry.example:8443/", "https://registry.example:8443"),
        ("https://r.example/api/model_registry/v1alpha3", "https://r.example"),
        (
            "https://r.example/model-registry/a/api/model_registry/",
            "https://r.example/model-registry/a",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_an_address_is_accepted_in_every_form_people_have_it(given: str, kept: str) -> None:
    assert Connection(given).url == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ftp://r.example",
        "http://r.example",
        "https://me:C4naryBird@r.example",
        "r.example:port",
        "https://[foo",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        Connection(given)

    assert caught.value.remedy
    assert "C4naryBird" not in str(caught.value)


def secret(folder: Path, **files: bytes) -> Path:
    """Return a mounted secret with these keys."""
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


@pytest.mark.parametrize("given", ["", "r.example", "https://r.example/api/model_registry/v1"])
def test_a_secrets_token_goes_to_its_own_host(tmp_path: Path, given: str) -> None:
    folder = secret(tmp_path, url=b"https://r.example\n", token=b"C4naryBird\n", ca_crt=b"pem")

    found = configured(given, folder=folder)

    assert found == Connection("https://r.example", "C4naryBird", str(tmp_path / "ca.crt"))


@pytest.mark.parametrize("given", ["evil.example", "r.example:8443"])
def test_a_secrets_token_goes_nowhere_else(tmp_path: Path, given: str) -> None:
    folder = secret(tmp_path, url=b"https://r.example", token=b"C4naryBird", ca_crt=b"pem")

    found = configured(given, folder=folder, own_token=lambda: "own")

    assert found == Connection(given, "own")


def test_without_address_there_is_no_connection(tmp_path: Path) -> None:
    assert configured("", folder=secret(tmp_path, token=b"C4naryBird")) is None


def test_a_secret_that_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"url: it is no text; write the secret model-registry-c"):
        configured("", folder=secret(tmp_path, url=b"\xff\xfe"))
