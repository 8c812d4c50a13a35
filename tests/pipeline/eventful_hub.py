"""A Hub to which something happens in the middle of a download."""

from collections.abc import Callable
from typing import Any

from tests.servers.hub import HubServer
from tests.servers.loopback import Request, Response


class EventfulHub(HubServer):
    """Calls what it was given once, when a file's content is asked for, and answers after that."""

    def __init__(self, *repositories: Any, **settings: Any) -> None:
        super().__init__(*repositories, **settings)
        self._acts: dict[str, Callable[[], object]] = {}

    def upon(self, path: str, act: Callable[[], object]) -> None:
        """Have `act` be called at the next request for the content of the file at `path`."""
        self._acts[path] = act

    def answer(self, request: Request) -> Response:
        content = request.method == "GET" and request.path.startswith("/cdn/")
        if content and (act := self._acts.pop(request.path.rpartition("/")[2], None)):
            act()
        return super().answer(request)

    def fetched(self, path: str) -> int:
        """Return how many bytes of a file's content were sent so far."""
        content = [seen for seen in self.requests if seen.target.startswith("/cdn/")]
        return sum(seen.sent for seen in content if seen.target.endswith(f"/{path}"))
