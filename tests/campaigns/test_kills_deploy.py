"""Runs that are killed while they register, deploy and verify, and the same command again."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.campaigns.extent import seeds
from tests.campaigns.figures import note
from tests.campaigns.moments import ENDED, Events, draw
from tests.campaigns.place import Place, Servers, ended, place, told
from tests.campaigns.schedule import REQUESTS
from tests.campaigns.streaming_proxy import Passage
from tests.servers.kserve import KServe, services
from tests.servers.kube import KubeServer
from tests.servers.vllm import VllmServer
from tests.serving_site import Site

_LONGEST = 2.5
"""Seconds after an event of registering: as long as deploying takes here."""


@dataclass(frozen=True)
class Deploying:
    place: Place
    events: Events
    kube: KubeServer

    def served(self) -> list[str]:
        """Return what the inference services of the namespace serve."""
        found = self.kube.request("GET", services(self.place.namespace))["items"]
        return [one["spec"]["predictor"]["model"]["storageUri"] for one in found]


@contextmanager
def deploying(servers: Servers, kube: KubeServer, folder: Path, name: str) -> Iterator[Deploying]:
    namespace, events = f"ml-{secrets.token_hex(4)}", Events()
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    meet = {peer: lambda method, path: Passage() for peer in REQUESTS}
    where = (servers, folder, f"deploys/{name}", meet)
    with (
        place(*where, absent={}, base_at_registry=False, event=events) as found,
        VllmServer("tiny") as vllm,
        KServe(kube, namespace, vllm.url),
    ):
        Site(kube, namespace, vllm).add_runtime()
        variables = {"KUBECONFIG": str(kube.kubeconfig(namespace=namespace))}
        yield Deploying(replace(found, namespace=namespace, variables=variables), events, kube)


@pytest.fixture(scope="session")
def events(servers: Servers, kube: KubeServer, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return how many events a run has that nobody kills."""
    with deploying(servers, kube, tmp_path_factory.mktemp("deploys"), "right") as found:
        told(found.place.run())
        return found.events.count


@pytest.mark.parametrize("seed", seeds(2, 40))
def test_after_a_kill_the_same_command_deploys_and_verifies(
    seed: int, servers: Servers, kube: KubeServer, events: int, tmp_path: Path
) -> None:
    moment = draw(seed, events, first=events * 3 // 4, longest=_LONGEST)
    print(moment)  # noqa: T201  what a failure shows
    with deploying(servers, kube, tmp_path, str(seed)) as found:
        process = found.place.begin(*moment.options)
        found.events.arm(process, moment)
        first = ended(process)
        assert first.returncode in ENDED[moment.sent], first.stderr
        second = told(found.place.run(work="fresh" if moment.fresh else "work"))
        found.place.hold(digest := second["digest"])
        assert found.served() == [f"oci://{found.place.image}@{digest}"]
        (version,) = found.place.model_registry.store.all("version")
        verified = version["customProperties"]["verified_digest"]["string_value"]
        assert verified == digest
    note(
        "kills", f"deploy {seed}", code=first.returncode, sent=moment.sent.name, fresh=moment.fresh
    )
