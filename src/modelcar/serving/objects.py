"""The few objects of the API server that deploying reads and writes, as plain JSON objects."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from modelcar.cluster import asking, request
from modelcar.serving.manifest import Manifest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

FIELD_MANAGER = "modelcar"
_GROUP, _VERSION, _PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
_POD_LABEL = "serving.kserve.io/inferenceservice"
_RUNTIMES = f"/apis/{_GROUP}/v1alpha1"
_HIDDEN = (403, 404)


@dataclass(frozen=True, slots=True)
class Objects:
    """One namespace, through `api`; every method raises what the client library raises."""

    api: "ApiClient"
    namespace: str

    def service(self, name: str) -> Manifest | None:
        """Return the live InferenceService, or None when there is none."""
        from kubernetes.client.rest import ApiException

        try:
            return cast(Manifest, self._request("GET", f"{self._services}/{name}"))
        except ApiException as error:
            if error.status == 404 and "could not find the requested" not in str(error.body):
                return None
            raise

    def apply(self, manifest: Manifest, *, force: bool, dry_run: bool = False) -> Manifest:
        """Apply on the server's side, and return the object as it is (or would be) afterwards."""
        query = [("fieldManager", FIELD_MANAGER), ("force", str(force).lower())]
        path = f"{self._services}/{manifest['metadata']['name']}"
        query += [("dryRun", "All")] if dry_run else []
        return cast(Manifest, self._request("PATCH", path, query, manifest))

    def delete(self, name: str, uid: str) -> None:
        """Delete the InferenceService of that uid, and not another of its name."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        self._request("DELETE", f"{self._services}/{name}", body=body)

    def deployment(self, service: str) -> dict[str, Any] | None:
        """Return the service's Deployment; None when it may not be read, or is not there."""
        return self._readable(
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{service}-predictor"
        )

    def pods(self, service: str) -> Sequence[dict[str, Any]] | None:
        """Return the service's pods; None when they may not be read."""
        selector = ("labelSelector", f"{_POD_LABEL}={service}")
        return self._items(f"/api/v1/namespaces/{self.namespace}/pods", [selector])

    def warnings(self, prefix: str) -> Sequence[dict[str, Any]]:
        """Return the warnings about objects named so; none where they may not be read."""
        query = [("fieldSelector", "type=Warning"), ("limit", "500")]
        listed = self._readable(f"/api/v1/namespaces/{self.namespace}/events", query) or {}
        return [
            event
            for event in listed.get("items", ())
            if event.get("involvedObject", {}).get("name", "").startswith(prefix)
        ]

    def log(self, pod: str, container: str) -> str:
        """Return the last lines of what a container said before it ended; nothing without them."""
        from kubernetes.client.rest import ApiException

        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        query = [("container", container), ("tailLines", "1000"), ("limitBytes", "1000000")]
        for previous in ("true", "false"):
            try:
                answer = self._request("GET", path, [*query, ("previous", previous)], raw=True)
                return bytes(answer.data).decode(errors="replace")
            except ApiException as error:
                if error.status not in (*_HIDDEN, 400, 500):
                    raise
        return ""

    def services(self) -> Sequence[Manifest]:
        """Return all InferenceServices of the namespace."""
        return cast(Sequence[Manifest], self._request("GET", self._services)["items"])

    def cluster_quotas(self) -> Sequence[dict[str, Any]] | None:
        """Return what OpenShift's quotas over several namespaces leave here; None when hidden."""
        from kubernetes.client.rest import ApiException

        path = f"/apis/quota.openshift.io/v1/namespaces/{self.namespace}"
        try:
            return self._items(f"{path}/appliedclusterresourcequotas", hidden=(403,))
        except ApiException as error:
            if error.status != 404:
                raise
            return ()

    def unscheduled(self) -> Sequence[dict[str, Any]] | None:
        """Return the pods of all namespaces that wait for a node; None when they are hidden."""
        waiting = "spec.nodeName=,status.phase=Pending"
        return self._items("/api/v1/pods", [("fieldSelector", waiting)])

    def quotas(self) -> Sequence[dict[str, Any]] | None:
        """Return the namespace's quotas; None when they may not be read."""
        return self._items(f"/api/v1/namespaces/{self.namespace}/resourcequotas")

    def nodes(self, selector: Mapping[str, str]) -> Sequence[dict[str, Any]] | None:
        """Return the nodes that a selector matches; None when they may not be read."""
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        return self._items("/api/v1/nodes", [("labelSelector", labels)])

    def pods_on(self, node: str) -> Sequence[dict[str, Any]] | None:
        """Return a node's pods, of all namespaces; None when they may not be read."""
        return self._items("/api/v1/pods", [("fieldSelector", f"spec.nodeName={node}")])

    def runtime_status(self, name: str) -> int:
        """Return the HTTP status of that ServingRuntime: 200, 403 or 404."""
        return self._status(f"{self._runtimes}/{name}")

    def cluster_runtime_status(self, name: str) -> int:
        """Return the HTTP status of that ClusterServingRuntime: 200, 403 or 404."""
        return self._status(f"{_RUNTIMES}/clusterservingruntimes/{name}")

    def runtimes(self) -> Sequence[Manifest]:
        """Return the namespace's ServingRuntimes; none where they may not be read."""
        return self._items(self._runtimes) or ()

    def create_runtime(self, runtime: Manifest) -> None:
        """Create a ServingRuntime, unless one of its name was created in this moment."""
        from kubernetes.client.rest import ApiException

        try:
            self._request("POST", self._runtimes, [("fieldManager", FIELD_MANAGER)], runtime)
        except ApiException as error:
            if error.status != 409:
                raise

    def delete_runtime(self, name: str, uid: str) -> bool:
        """Delete the ServingRuntime of that uid, and not another of its name.

        Returns False, and says so, where that may not be done or was done by another.
        """
        from kubernetes.client.rest import ApiException

        body = {"preconditions": {"uid": uid}}
        try:
            self._request("DELETE", f"{self._runtimes}/{name}", body=body)
        except ApiException as error:
            if error.status not in (*_HIDDEN, 409):
                raise
            log.warning("%s: not deleted (HTTP %s)", name, error.status)
            return False
        return True

    def templates(self, namespace: str) -> Sequence[Manifest]:
        """Return the OpenShift templates of a namespace; none where they may not be read."""
        return self._items(f"/apis/template.openshift.io/v1/namespaces/{namespace}/templates") or ()

    def await_change(self, name: str, resource_version: str, seconds: float) -> bool:
        """Return True at the service's first change since that version, False after `seconds`.

        After the API server has started anew, the object's own version is too old to begin at.
        """
        from kubernetes.client import CustomObjectsApi
        from kubernetes.client.rest import ApiException

        listing = CustomObjectsApi(self.api).list_namespaced_custom_object
        of, field = (_GROUP, _VERSION, self.namespace, _PLURAL), f"metadata.name={name}"
        chosen = {"field_selector": field}
        try:
            return await_change(listing, of, chosen, resource_version, seconds)
        except ApiException as error:
            if error.status != 410:
                raise
        listed = self._request("GET", self._services, [("fieldSelector", field)])
        (found,) = listed["items"] or [{}]
        if found.get("metadata", {}).get("resourceVersion") != resource_version:
            return True
        return await_change(listing, of, chosen, listed["metadata"]["resourceVersion"], seconds)

    @property
    def _services(self) -> str:
        return f"/apis/{_GROUP}/{_VERSION}/namespaces/{self.namespace}/{_PLURAL}"

    @property
    def _runtimes(self) -> str:
        return f"{_RUNTIMES}/namespaces/{self.namespace}/servingruntimes"

    def _status(self, path: str) -> int:
        from kubernetes.client.rest import ApiException

        try:
            self._request("GET", path)
        except ApiException as error:
            if error.status not in _HIDDEN:
                raise
            return int(error.status)
        return 200

    def _items(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        hidden: Collection[int] = _HIDDEN,
    ) -> Sequence[dict[str, Any]] | None:
        listed = self._readable(path, query, hidden)
        return None if listed is None else cast(Sequence[dict[str, Any]], listed["items"])

    def _readable(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        hidden: Collection[int] = _HIDDEN,
    ) -> dict[str, Any] | None:
        from kubernetes.client.rest import ApiException

        try:
            return cast(dict[str, Any], self._request("GET", path, query))
        except ApiException as error:
            if error.status in hidden:
                return None
            raise

    def _request(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        raw: bool = False,
    ) -> Any:
        return request(self.api, method, path, query, body, raw)


def await_change(
    listing: Callable[..., Any],
    of: Sequence[str],
    chosen: Mapping[str, str],
    version: str,
    seconds: float,
) -> bool:
    """Return True at the first change to what `listing` lists of `chosen`, False after `seconds`.

    `version` is the resource version from which on changes count.
    """
    from kubernetes.watch import Watch

    window = max(1, round(seconds))
    # The second limit is for a connection that died without a word.
    limits = {"timeout_seconds": window, "_request_timeout": window + 10}
    changes = Watch().stream(listing, *of, **chosen, resource_version=version, **limits)
    changed = next(changes, None) is not None
    changes.close()
    return changed


def find_service(api: "ApiClient", name: str, namespace: str) -> Manifest | None:
    """Return the live InferenceService, or None when there is none; raise DeployError."""
    with asking(f"looking up {namespace}/{name}"):
        return Objects(api, namespace).service(name)


def matching_nodes(api: "ApiClient", selector: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    """Return the nodes that a selector matches; none where they may not be read.

    Raises DeployError for what else the API server refuses.
    """
    with asking("listing the nodes"):
        return Objects(api, "").nodes(selector) or ()
