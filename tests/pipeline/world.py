"""The servers that a run of the pipeline speaks to, and runs with them."""

import base64
import dataclasses
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from modelcar.oci.reference import DigestReference
from tests import canary
from tests.auth_files import htpasswd
from tests.byte_path import safetensors
from tests.cage import Cage
from tests.pipeline.compiled_file import SHIPPED
from tests.pipeline.host_runner import Cluster, Run, run
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

REPO, NAME, VERSION = "example/tiny", "tiny", "2.0"
FILES = {
    "README.md": b"---\nlicense: apache-2.0\nlibrary_name: vllm\npipeline_tag: text-generation\n"
    b"language: [en]\n---\n# tiny\n",
    "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
    "model.safetensors": safetensors(7008),
    "tokenizer.json": b"{}",
}
USER, PASSWORD = "robot", canary.secret("robot")


@dataclasses.dataclass(frozen=True)
class World:
    """The servers of all runs here; the OCI registry asks for the password in `auth_file`.

    Tasks write to `volume` only, and run in `cage` where there is one.
    """

    folder: Path
    hub: HubServer
    oci_registry: DockerRegistry
    model_registry: ModelRegistryServer
    base: str
    auth_file: Path
    pipeline: Path = SHIPPED
    cage: Cage | None = None

    @property
    def tag(self) -> str:
        return f"{VERSION}-{self.hub.commit(REPO)[:7]}"

    @property
    def volume(self) -> Path:
        return self.folder / "volume"

    @property
    def work(self) -> Path:
        return self.volume / "work"

    def run(self, run_id: str, **arguments: str) -> Run:
        """Run the pipeline with every target, but for what `arguments` say otherwise."""
        secrets = {"registry-auth": self.auth_file.parent}
        cluster = Cluster(self.volume / "cluster", secrets, self.cage)
        host = self.oci_registry.host
        given = {
            "hf_repo": REPO,
            "hf_endpoint": self.hub.url,
            "model_name": NAME,
            "model_version": VERSION,
            "registry": f"{host}/models",
            "mirror_to": f"{host}/mirror",
            "model_registry_url": self.model_registry.url,
            "base_image": self.base,
            "deploy_model": "false",
            "workdir": str(self.work),
        }
        return run(self.pipeline, cluster, run_id, **{**given, **arguments})

    def records(self, run_id: str) -> dict[str, dict[str, Any]]:
        found = sorted((self.work / "records" / run_id).iterdir())
        records = [json.loads(path.read_text()) for path in found]
        return {record["name"]: record for record in records}

    def uploads(self) -> list[str]:
        """Return every request for bytes that the OCI registry has logged."""
        return re.findall(r'"(PATCH /v2/\S+)', self.oci_registry.log.read_text())

    def digest_at(self, repository: str) -> str:
        """Return the sha256 of the manifest's own bytes, as the OCI registry holds them."""
        headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
        headers["Accept"] = "application/vnd.oci.image.manifest.v1+json"
        address = f"http://{self.oci_registry.host}/v2/{repository}/manifests/{self.tag}"
        with urllib3.PoolManager() as pool:
            response = pool.request("GET", address, headers=headers)
        assert response.status == 200, response.data
        return f"sha256:{hashlib.sha256(response.data).hexdigest()}"


@contextmanager
def start(folder: Path) -> Iterator[World]:
    """Start the servers, with all their files in `folder`."""
    asking = htpasswd(folder / "htpasswd", USER, PASSWORD)
    base = busybox_base.make(folder / "base")
    with (
        HubServer({REPO: FILES}) as hub,
        DockerRegistry(folder / "oci-registry", htpasswd=asking) as oci_registry,
        ModelRegistryServer() as model_registry,
    ):
        auth_file = logins(folder / "registry-auth", USER, PASSWORD, oci_registry.host)
        pushed = push(base, f"{oci_registry.host}/base", auth_file)
        world = World(folder, hub, oci_registry, model_registry, pushed, auth_file)
        world.volume.mkdir()
        yield world


def logins(folder: Path, user: str, password: str, *hosts: str) -> Path:
    """Write the secret `registry-auth` as a folder, and return its file."""
    folder.mkdir()
    login = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    path = folder / ".dockerconfigjson"
    path.write_text(json.dumps({"auths": dict.fromkeys(hosts, login)}))
    return path


def push(image: DigestReference, repository: str, auth_file: Path) -> str:
    """Copy an image from its folder to the OCI registry, and return it there by digest."""
    settings = ["--preserve-digests", "--dest-tls-verify=false", f"--authfile={auth_file}"]
    places = [f"{image.location}:{image.tag}", f"docker://{repository}:1"]
    subprocess.run(["skopeo", "copy", "--quiet", *settings, *places], check=True)
    return f"{repository}@{image.digest}"
