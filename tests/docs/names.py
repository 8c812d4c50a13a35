"""The names that a user types, such as quay.io, led to servers of the tests by a proxy."""

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Final

from tests.servers.forward_proxy import ForwardProxy
from tests.servers.loopback import LoopbackServer

HUB: Final = ("huggingface.co", "hub.example.com")
CDN: Final = "cdn-lfs.hf.co"
RED_HAT: Final = ("registry.access.redhat.com",)
QUAY: Final = ("quay.io", "registry.example.com")
"""A company's own stands for the same server, which asks for a login too."""
OTHERS: Final = ("ghcr.io", "harbor.example.com", "*.dkr.ecr.eu-central-1.amazonaws.com")
INSIDE: Final = (
    "image-registry.openshift-image-registry.svc",
    "default-route-openshift-image-registry.apps.example.com",
)
MODEL_REGISTRY: Final = ("*-rest.apps.example.com",)
SERVED: Final = ("*.apps.example.com",)
"""Endpoints; what else is below that name, is named before."""
CERTIFIED: Final = tuple(
    dict.fromkeys((*HUB, CDN, *RED_HAT, *QUAY, *OTHERS, *INSIDE, *SERVED)),
)


class Names(ForwardProxy):
    """A proxy that knows the ports of names, which may have a `*`; the first that fits counts."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        super().__init__()
        self.ports = dict(ports)

    def port(self, place: str) -> int | None:
        host, _, port = place.rpartition(":")
        if host == "127.0.0.1":
            return int(port)
        found = (port for name, port in self.ports.items() if fnmatch(host, name))
        return next(found, None)


def port_of(server: LoopbackServer) -> int:
    return int(server.url.rpartition(":")[2])
