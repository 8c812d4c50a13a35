"""A site without the internet: servers of its own names, by TLS of its own CA, behind a proxy."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import canary
from tests.auth_files import htpasswd
from tests.byte_path import REPO, tiny
from tests.cage import loopback_only, refusal
from tests.servers import busybox_base
from tests.servers.certificate import self_signed
from tests.servers.docker_registry import DockerRegistry
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

HUB, CDN, IMAGES, MODELS = (f"{name}.internal" for name in ("hub", "cdn", "registry", "models"))
USER, PASSWORD = "robot", canary.secret("robot")


@dataclass(frozen=True)
class InternalSite:
    """Its servers; no name resolves here, and only the proxy leads to them."""

    folder: Path
    ca: Path
    auth_file: Path
    hub_server: HubServer
    oci_registry: DockerRegistry
    model_registry: ModelRegistryServer
    proxy: ForwardProxy
    base: str

    @property
    def hub(self) -> str:
        return self.hub_server.url.replace("127.0.0.1", HUB)

    @property
    def models(self) -> str:
        return self.model_registry.url.replace("127.0.0.1", MODELS)

    @property
    def images(self) -> str:
        return f"{IMAGES}:{self.oci_registry.port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return what a command is told here, but for the CA."""
        proxy, logins = f"http://{self.proxy.host}", str(self.auth_file)
        told = {"REGISTRY_AUTH_FILE": logins, "HF_ENDPOINT": self.hub, "no_proxy": ""}
        return {**told, "HTTPS_PROXY": proxy, "https_proxy": proxy}

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the site file's content."""
        places = {"oci_registry": f"{self.images}/models", "mirror": f"{self.images}/mirror"}
        more = {"model_registry": self.models, "hub": self.hub}
        names = dict.fromkeys(("base", "python", "skopeo"), self.base)
        return {**places, **more, "images": names, **changes}

    def asked(self) -> set[str]:
        """Return the hosts to which the proxy has led, and forget them."""
        found = {line.split()[1].rpartition(":")[0] for line in self.proxy.asked}
        self.proxy.asked.clear()
        return found


@contextmanager
def start(folder: Path) -> Iterator[InternalSite]:
    """Start all servers on a network that has only loopback, where this machine allows one."""
    tls = self_signed(folder / "tls", HUB, CDN, IMAGES, MODELS)
    with ExitStack() as stack:
        if not refusal():
            stack.enter_context(loopback_only())
        enter = stack.enter_context
        hub = enter(HubServer({REPO: tiny()}, tls=tls, cdn=CDN))
        asking = htpasswd(folder / "htpasswd", USER, PASSWORD)
        oci_registry = enter(DockerRegistry(folder / "oci-registry", htpasswd=asking, tls=tls))
        models = enter(ModelRegistryServer(tls=tls))
        auth_file = _auth_file(folder, oci_registry)
        base = _pushed(folder, oci_registry, auth_file)
        proxy = enter(ForwardProxy())
        yield InternalSite(folder, tls[0], auth_file, hub, oci_registry, models, proxy, base)


def _auth_file(folder: Path, oci_registry: DockerRegistry) -> Path:
    login = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
    hosts = (f"{IMAGES}:{oci_registry.port}", oci_registry.host)
    path = folder / "registry-auth" / ".dockerconfigjson"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": dict.fromkeys(hosts, login)}))
    return path


def _pushed(folder: Path, oci_registry: DockerRegistry, auth_file: Path) -> str:
    """Copy a base image to the OCI registry, as an administrator does before; return it there."""
    image = busybox_base.make(folder / "base")
    places = [f"{image.location}:{image.tag}", f"docker://{oci_registry.host}/ubi9/base:1"]
    options = ["--quiet", "--preserve-digests", "--dest-tls-verify=false"]
    subprocess.run(["skopeo", "copy", *options, f"--authfile={auth_file}", *places], check=True)
    return f"{IMAGES}:{oci_registry.port}/ubi9/base@{image.digest}"
