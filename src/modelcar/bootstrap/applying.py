"""Bringing single objects of any kind to what a manifest says, or taking them away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from modelcar.bootstrap.objects import Manifest
from modelcar.cluster import refusal, request
from modelcar.serving.apply import made_by_us
from modelcar.serving.objects import FIELD_MANAGER

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

State = Literal["created", "updated", "unchanged", "kept", "deleted", "absent", "refused"]

_CLUSTER: Final = ("ClusterRole", "ClusterRoleBinding")
_COUNTED: Final = ("managedFields", "resourceVersion", "generation")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object; `why` where it is not what was asked for."""

    kind: str
    name: str
    namespace: str
    state: State
    why: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}: {self.state}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies to one namespace; with `dry_run` the server only says what it would do."""

    api: "ApiClient"
    namespace: str
    adopt: bool = False
    dry_run: bool = False

    def apply(self, manifest: Manifest) -> Outcome:
        """Create or correct an object; what another made is kept unless it is to be adopted."""
        from kubernetes.client.rest import ApiException

        try:
            return self._apply(manifest)
        except ApiException as error:
            what = f"{manifest['kind']} {manifest['metadata']['name']}"
            refused = refusal(what, error)
            return self._outcome(manifest, "refused", f"{refused.why}; {refused.remedy}")

    def remove(self, manifest: Manifest) -> Outcome:
        """Delete an object that was applied by modelcar; another's is kept."""
        from kubernetes.client.rest import ApiException

        query = [("dryRun", "All")] if self.dry_run else []
        try:
            live = self.find(manifest)
            if live is None:
                return self._outcome(manifest, "absent")
            if not made_by_us(live):
                return self._outcome(manifest, "kept", "another made it")
            body: dict[str, Any] = {"preconditions": {"uid": live["metadata"]["uid"]}}
            request(self.api, "DELETE", self._path(manifest), query, body)
        except ApiException as error:
            return self._outcome(manifest, "refused", refusal("deleting", error).why)
        return self._outcome(manifest, "deleted")

    def made(self, manifest: Manifest) -> bool:
        """Return whether an object stands that was applied by modelcar."""
        live = self.find(manifest)
        return live is not None and made_by_us(live)

    def find(self, manifest: Manifest) -> Manifest | None:
        """Return the live object, None where there is none; raise what the library raises."""
        from kubernetes.client.rest import ApiException

        try:
            return cast(Manifest, request(self.api, "GET", self._path(manifest)))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _apply(self, manifest: Manifest) -> Outcome:
        live = self.find(manifest)
        if live is None:
            self._patch(manifest, force=False, dry_run=self.dry_run)
            return self._outcome(manifest, "created")
        if "deletionTimestamp" in live["metadata"]:
            return self._outcome(manifest, "refused", "it is being deleted; run again")
        if manifest["kind"] == "PersistentVolumeClaim" or _holds(live, manifest):
            return self._outcome(manifest, "unchanged")
        if not (made_by_us(live) or self.adopt):
            why = "another made it; --adopt takes it over"
            return self._outcome(manifest, "kept", why)
        preview = self._patch(manifest, force=True, dry_run=True)
        if _substance(preview) == _substance(live):
            return self._outcome(manifest, "unchanged")
        self._patch(manifest, force=True, dry_run=self.dry_run)
        return self._outcome(manifest, "updated")

    def _patch(self, manifest: Manifest, *, force: bool, dry_run: bool) -> Manifest:
        query = [("fieldManager", FIELD_MANAGER), ("force", str(force).lower())]
        query += [("dryRun", "All")] if dry_run else []
        return cast(Manifest, request(self.api, "PATCH", self._path(manifest), query, manifest))

    def _path(self, manifest: Manifest) -> str:
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        namespace = self._namespace(manifest)
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{place}/{kind.lower()}s/{manifest['metadata']['name']}"

    def _namespace(self, manifest: Manifest) -> str:
        if manifest["kind"] in _CLUSTER:
            return ""
        return str(manifest["metadata"].get("namespace") or self.namespace)

    def _outcome(self, manifest: Manifest, state: State, why: str = "") -> Outcome:
        namespace = self._namespace(manifest)
        return Outcome(manifest["kind"], manifest["metadata"]["name"], namespace, state, why)


def _holds(live: Manifest, manifest: Manifest) -> bool:
    """Return whether a secret holds these values already, whoever made it."""
    wanted: Mapping[str, str] | None = manifest.get("data")
    there = live.get("data") or {}
    return bool(wanted) and wanted == {key: there.get(key) for key in wanted or ()}


def _substance(live: Manifest) -> Manifest:
    metadata = {key: v for key, v in live["metadata"].items() if key not in _COUNTED}
    return {**live, "metadata": metadata, "status": None}


def refused(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return those that could not be done."""
    return [one for one in outcomes if one.state == "refused"]
