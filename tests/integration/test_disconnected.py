"""What docs/disconnected.md says, where no name resolves and only a proxy leads to servers."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import internal_site
from tests.byte_path import REPO, modelcar, refused, tiny, told, write
from tests.internal_site import CDN, HUB, IMAGES, MODELS, InternalSite

MODEL = f"hf://{REPO}"


@pytest.fixture(scope="module")
def internal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InternalSite]:
    with internal_site.start(tmp_path_factory.mktemp("internal")) as found:
        yield found


def call(
    site: InternalSite, folder: Path, *argv: str, ca: str = "MODELCAR_CA_BUNDLE", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with the site's file and variables, trusting its CA by one of them."""
    (folder / "site.yaml").write_text(yaml.safe_dump(site.settings()))
    trusted = {ca: str(site.ca)} if ca else {}
    return modelcar(folder, *argv, **{**site.variables, **trusted, **more})


@pytest.mark.parametrize("ca", ["MODELCAR_CA_BUNDLE", "SSL_CERT_FILE"])
def test_every_stage_goes_by_the_proxy_and_trusts_the_ca(
    internal: InternalSite, tmp_path: Path, ca: str
) -> None:
    internal.asked()
    found = told(call(internal, tmp_path, "run", MODEL, "--json", ca=ca))
    assert found["status"] == "succeeded"
    assert found["mirror"] == f"{internal.images}/mirror/tiny@{found['digest']}"
    assert internal.asked() - {CDN} == {HUB, IMAGES, MODELS}


def test_preflight_finds_all_well(internal: InternalSite, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        json.dumps({"name": "tiny", "source": MODEL, "version": "9"})
    )
    found = told(call(internal, tmp_path, "preflight", "tiny.yaml", "--json"))
    checks = {one["check"]: one["state"] for one in found}
    fine = ("ca", "source", "oci_registry", "mirror", "model_registry", "images.base")
    assert {checks[check] for check in fine} == {"ok"}, found


@pytest.mark.parametrize(
    ("who", "remedy"),
    [
        ("hub", "MODELCAR_CA_BUNDLE"),
        ("images", "MODELCAR_CA_BUNDLE"),
        ("mirror", "MODELCAR_CA_BUNDLE"),
        ("models", "MODELCAR_CA_BUNDLE"),
    ],
)
def test_without_the_ca_each_says_which_variable_names_it(
    internal: InternalSite, tmp_path: Path, who: str, remedy: str
) -> None:
    write(tmp_path / "model", tiny())
    target = f"{internal.images}/models/lone:1"
    argv = {
        "hub": ("plan", MODEL),
        "images": ("build", f"file://{tmp_path}/model", "--to", target, "--base", "scratch"),
        "mirror": ("mirror", internal.base, f"{internal.images}/mirror/base:1"),
        "models": ("versions", "tiny", "--model-registry", internal.models),
    }
    refused(call(internal, tmp_path, *argv[who], ca=""), remedy)


def test_a_ca_file_that_is_not_there_is_told(internal: InternalSite, tmp_path: Path) -> None:
    done = call(internal, tmp_path, "plan", MODEL, MODELCAR_CA_BUNDLE="gone.pem")
    refused(done, "CA file gone.pem: there is no such file", code=2)


def test_no_proxy_excepts_hosts(internal: InternalSite, tmp_path: Path) -> None:
    internal.asked()
    done = call(internal, tmp_path, "plan", MODEL, no_proxy=".internal")
    refused(done, "check the network, the proxy and HF_ENDPOINT")
    assert internal.asked() == set()


def test_a_folder_needs_no_hub(internal: InternalSite, tmp_path: Path) -> None:
    write(tmp_path / "model", tiny())
    internal.asked()
    target = f"{internal.images}/models/from-folder:1"
    argv = ("build", f"file://{tmp_path}/model", "--to", target, "--base", internal.base, "--json")
    told(call(internal, tmp_path, *argv))
    assert internal.asked() == {IMAGES}
