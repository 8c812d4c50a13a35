"""The controller that the other tests take for KServe's comes too late for some services."""

import threading

from tests.servers.kserve import KServe
from tests.serving_site import Site

GONE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "gone"},
    "spec": {"predictor": {"model": {"modelFormat": {"name": "vLLM"}, "storageUri": "pvc://a"}}},
}


class _Held(threading.Event):
    """Says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_for.set()
        return super().wait(timeout)


def test_a_service_that_goes_before_it_is_ready_ends_no_controller(
    site: Site, kserve: KServe
) -> None:
    kserve.go = held = _Held()
    site.server.request("POST", site.path, GONE)
    assert held.waited_for.wait(20)
    site.server.request("DELETE", f"{site.path}/gone")
    held.set()

    assert site.deploy().url == site.vllm.url
