"""Servers on both sides of one process, and what it moved between them, counted there."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Measured
from benchmarks.relay import Relay
from benchmarks.runs import tell
from benchmarks.stand import REPO, SOURCE, Stand
from modelcar.wording import size
from tests.servers.hub import HubServer

HEADER = ("who", "what changed", "weights from the Hub", "else from it", "sent", "read back")


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes that one process moved.

    From the Hub by weight file, and of all else; to and from the OCI registry with HTTP's lines.
    """

    weights: dict[str, int]
    other: int
    sent: int
    received: int

    def row(self, who: str, what: str) -> tuple[str, ...]:
        """Return the row of a table under HEADER."""
        counts = (sum(self.weights.values()), self.other, self.sent, self.received)
        return (who, what, *map(size, counts))


@dataclass(frozen=True, slots=True)
class Scene:
    """A Hub, and an OCI registry behind a relay."""

    stand: Stand
    hub: HubServer
    relay: Relay

    def build(self, revision: str, work: Path, *options: str) -> Moved:
        """Build a revision of the model with modelcar."""
        target = f"{self.relay.host}/measured/modelcar:{revision}"
        source = f"{SOURCE}@{revision}"
        tell(f"  modelcar {revision} {' '.join(options)}")
        return self._moved(lambda: self.stand.build(source, target, work, self.hub.url, options))

    def push(self, revision: str) -> Moved:
        """Push a revision with oci-modelcar, its spool empty."""
        target = f"{self.relay.host}/measured/peer:{revision}"
        spool, workers = self.stand.empty("spool"), max(self.stand.workers)
        tell(f"  oci-modelcar {revision}")
        return self._moved(
            lambda: self.stand.oci_modelcar(
                self.hub.url, target, spool, workers, "--hf-revision", revision
            )
        )

    def _moved(self, run: Callable[[], Measured]) -> Moved:
        seen, sent, received = len(self.hub.requests), self.relay.sent, self.relay.received
        run()
        weights: Counter[str] = Counter()
        for one in self.hub.requests[seen:]:
            weights[one.target.rpartition("/")[2] if _is_weight(one.target) else ""] += one.sent
        other = weights.pop("", 0)
        back = self.relay.received - received
        return Moved(dict(+weights), other, self.relay.sent - sent, back)


def open_hub(stand: Stand, revisions: dict[str, Path]) -> HubServer:
    """Return a Hub with the model and its revisions, their checksums computed."""
    hub = HubServer({REPO: stand.model()}, revisions={REPO: revisions})
    for revision in ("main", *revisions):
        hub.commit(REPO, revision)
    return hub


def _is_weight(target: str) -> bool:
    return target.endswith(".safetensors")
