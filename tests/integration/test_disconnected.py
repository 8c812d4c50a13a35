"""What docs/disconnected.md says, where no name resolves and only a proxy leads to servers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import internal_site
from tests.byte_path import REPO, modelcar, refused, tiny, told, write
from tests.internal_site import CDN, HUB, IMAGES, MODELS, InternalSite
from tests.pipeline.compiled_file import ROOT, CompiledPipeline
from tests.pipeline.host_runner import Cluster, Run, run
from tests.servers.vllm import VllmServer

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


def test_the_endpoint_is_asked_by_the_proxy(internal: InternalSite, tmp_path: Path) -> None:
    tls = (internal.ca, internal.ca.with_name("tls.key"))
    ask = "import sys; from modelcar.serving.smoke import smoke; print(smoke(*sys.argv[1:]).text)"
    internal.asked()
    with VllmServer("tiny", tls=tls) as vllm:
        url = vllm.url.replace("127.0.0.1", MODELS)
        done = subprocess.run(
            [sys.executable, "-c", ask, url, "tiny"],
            env={**internal.variables, "MODELCAR_CA_BUNDLE": str(internal.ca)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert internal.asked() == {MODELS}


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


@pytest.fixture(scope="module")
def pipeline(internal: InternalSite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pipeline that installs nothing, compiled for the site."""
    folder = tmp_path_factory.mktemp("compiled")
    image = f"{internal.images}/team/modelcar@sha256:{'ab' * 32}"
    site = folder / "site.yaml"
    site.write_text(yaml.safe_dump(internal.settings()))
    options = ["--runtime-image", image, "--site", str(site), "--out", str(folder)]
    proxy = ["--env", f"HTTPS_PROXY=http://{internal.proxy.host}"]
    argv = [sys.executable, "-m", "scripts.compile", *options, *proxy]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    return folder / "modelcar.yaml"


def start(internal: InternalSite, pipeline: Path, folder: Path, trusted: str) -> Run:
    """Run the pipeline where the cluster's config map of CAs has that text."""
    bundle = folder / "trusted"
    bundle.mkdir()
    (bundle / "ca-bundle.crt").write_text(trusted)
    (bundle / "odh-ca-bundle.crt").write_text("\n")  # as OpenShift AI leaves it, adding none
    logins = internal.auth_file.parent
    mounted = {"registry-auth": logins, "odh-trusted-ca-bundle": bundle}
    return run(
        pipeline,
        Cluster(folder / "cluster", mounted),
        "internal",
        hf_repo=REPO,
        hf_endpoint=internal.hub,
        model_name="piped",
        registry=f"{internal.images}/models",
        mirror_to=f"{internal.images}/mirror",
        model_registry_url=internal.models,
        deploy_model="false",
        workdir=str(folder / "work"),
    )


def test_the_pipeline_names_one_image_and_installs_nothing(pipeline: Path) -> None:
    executors = CompiledPipeline(pipeline).executors.values()
    (image,) = {one.container["image"] for one in executors}
    assert "/team/modelcar@sha256:" in image
    assert not [one for one in executors if "pip " in one.text or one.embedded]


def test_the_pipeline_goes_by_the_proxy_and_trusts_whom_the_cluster_trusts(
    internal: InternalSite, pipeline: Path, tmp_path: Path
) -> None:
    internal.asked()
    done = start(internal, pipeline, tmp_path, internal.ca.read_text())
    assert done.succeeded, done.log
    assert internal.asked() - {CDN} == {HUB, IMAGES, MODELS}
    assert done.output("mirror", "digest").startswith("sha256:")


def test_the_pipeline_says_whom_it_does_not_trust(
    internal: InternalSite, pipeline: Path, tmp_path: Path
) -> None:
    done = start(internal, pipeline, tmp_path, "")
    assert not done.succeeded
    assert "name the CA's file in MODELCAR_CA_BUNDLE" in done.log


def test_a_folder_needs_no_hub(internal: InternalSite, tmp_path: Path) -> None:
    write(tmp_path / "model", tiny())
    internal.asked()
    target = f"{internal.images}/models/from-folder:1"
    argv = ("build", f"file://{tmp_path}/model", "--to", target, "--base", internal.base, "--json")
    told(call(internal, tmp_path, *argv))
    assert internal.asked() == {IMAGES}
