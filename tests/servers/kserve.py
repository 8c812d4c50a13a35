"""Plays KServe's controller against a real API server: a Deployment, and a status."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.servers.kube import Gone, KubeServer

GROUP, VERSION, PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


class KServe:
    """Bring every InferenceService of `namespace` to readiness at `url`, as a context manager.

    `go` holds it back until it is set.
    """

    def __init__(self, server: KubeServer, namespace: str, url: str) -> None:
        self.go = threading.Event()
        self.go.set()
        self._server, self._namespace, self._url = server, namespace, url
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self.go.set()
        with self._busy:
            self._server.request("DELETE", self._services)  # an event that ends the watch
        self._thread.join()

    def _watch(self) -> None:
        done: set[tuple[str, int]] = set()
        version = "0"
        while not self._stop.is_set():
            for event in self._events(version):
                if self._stop.is_set():
                    return
                service = event["object"]
                version = service["metadata"]["resourceVersion"]
                key = (service["metadata"]["uid"], service["metadata"]["generation"])
                if event["type"] != "DELETED" and key not in done:
                    done.add(key)
                    self.go.wait()
                    self._reconcile(service)

    def _events(self, version: str) -> Any:
        from kubernetes.client import CustomObjectsApi
        from kubernetes.watch import Watch

        return Watch().stream(
            CustomObjectsApi(self._server.client()).list_namespaced_custom_object,
            *(GROUP, VERSION, self._namespace, PLURAL),
            resource_version=version,
            timeout_seconds=1,
        )

    def _reconcile(self, service: dict[str, Any]) -> None:
        with self._busy, suppress(Gone):
            if not self._stop.is_set():
                bring_up(self._server, service, self._url)

    @property
    def _services(self) -> str:
        return services(self._namespace)


def services(namespace: str) -> str:
    """Return the path of a namespace's InferenceServices."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"


def bring_up(server: KubeServer, service: dict[str, Any], url: str) -> None:
    """Roll out what a service names, and say that it is ready at `url`."""
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    uri = service["spec"]["predictor"]["model"]["storageUri"]
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}-predictor"
    body = deployment(name, uri, service["metadata"].get("annotations", {}))
    applied = server.request("PATCH", f"{path}?fieldManager=kserve&force=true", body, APPLY)
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    counts = dict.fromkeys(names, 1)
    seen = {"observedGeneration": applied["metadata"]["generation"]}
    server.request("PATCH", f"{path}/status", {"status": {**seen, **counts}}, MERGE)
    status = {**ready(url), **seen}
    server.request("PATCH", f"{services(namespace)}/{name}/status", {"status": status}, MERGE)


def deployment(name: str, uri: str, annotations: Mapping[str, str] = {}) -> dict[str, Any]:
    """Return the Deployment that KServe makes, as far as anything here looks at it.

    The service's annotations are copied to the pods' template.
    """
    labels = {"app": f"isvc.{name}-predictor"}
    container = {"name": "kserve-container", "image": "vllm"}
    template = {
        "metadata": {"labels": labels, "annotations": {**annotations, SOURCE: uri}},
        "spec": {"containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-predictor"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def ready(url: str) -> dict[str, Any]:
    """Return the status of a service that is ready at `url`."""
    conditions = [{"type": "Ready", "status": "True"}]
    internal = {"url": "http://internal.invalid:8080"}
    return {"url": url, "address": internal, "conditions": conditions}
