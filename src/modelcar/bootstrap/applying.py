"""Bringing single objects of any kind to what a manifest says, or taking them away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from modelcar.bootstrap.objects import Manifest
from modelcar.cluster import refusal, request
from modelcar.serving.apply import made_by_us
from modelcar.serving.objects import FIELD_MANAGER

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from kubernetes.client.rest import ApiException

State = Literal[
    "created", "updated", "unchanged", "kept", "deleted", "absent", "waiting", "refused"
]

_CLUSTER: Final = ("ClusterRole", "ClusterRoleBinding")
_COUNTED: Final = ("managedFields", "resourceVersion", "generation")
_FIXED: Final = ("roleRef", "type")
"""What the API server lets nobody change: a binding's role, a secret's type."""
_ADOPTED: Final = "modelcar-pipelines.io/adopted"
"""An annotation of what another made and was taken over, so that removal does not delete it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object; `why` where it is not what was asked for.

    What is `waiting` comes right by itself or with another run.
    """

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
        """Create or correct an object; what another made is kept unless it is to be adopted.

        What was adopted is marked as such, and stays marked.
        """
        from kubernetes.client.rest import ApiException

        try:
            return self._apply(manifest)
        except ApiException as error:
            return self.outcome(manifest, "refused", because(error))

    def remove(self, manifest: Manifest) -> Outcome:
        """Delete an object that was applied by modelcar; another's is kept, adopted or not."""
        from kubernetes.client.rest import ApiException

        try:
            live = self._find(manifest)
            if live is None:
                return self.outcome(manifest, "absent")
            if not _ours(live):
                adopted = ", and it was adopted" if _adopted(live) else ""
                return self.outcome(manifest, "kept", f"another made it{adopted}")
            self._delete(manifest, live)
        except ApiException as error:
            return self.outcome(manifest, "refused", because(error))
        return self.outcome(manifest, "deleted")

    def remove_unbound(self, role: Manifest, gone: Sequence[Outcome]) -> Outcome:
        """Delete a role that no binding names any more, but for those that are `gone`."""
        from kubernetes.client.rest import ApiException

        try:
            live = self._find(role)
            bound = self._bound_to(role, gone) if live and _ours(live) else []
        except ApiException as error:
            return self.outcome(role, "kept", f"others may be bound to it: {because(error)}")
        if bound:
            return self.outcome(role, "kept", f"{', '.join(bound)} binds it too")
        return self.remove(role)

    def made(self, manifest: Manifest) -> bool:
        """Return whether an object is seen that was made by modelcar, and not just adopted."""
        from kubernetes.client.rest import ApiException

        try:
            live = self._find(manifest)
        except ApiException as error:
            if error.status == 403:
                return False
            raise
        return live is not None and _ours(live)

    def outcome(self, manifest: Manifest, state: State, why: str = "") -> Outcome:
        """Return what became of that object."""
        namespace = self._namespace(manifest)
        return Outcome(manifest["kind"], manifest["metadata"]["name"], namespace, state, why)

    def _apply(self, manifest: Manifest) -> Outcome:
        live = self._find(manifest)
        if live is None:
            self._patch(manifest, force=False, dry_run=self.dry_run)
            return self.outcome(manifest, "created")
        if "deletionTimestamp" in live["metadata"]:
            return self.outcome(manifest, "refused", "it is being deleted; run again")
        if manifest["kind"] == "PersistentVolumeClaim" or _holds(live, manifest):
            return self.outcome(manifest, "unchanged")
        if fixed := _fixed(live, manifest):
            return self._anew(manifest, live, fixed)
        if not (made_by_us(live) or self.adopt):
            why = "another made it; --adopt takes it over"
            return self.outcome(manifest, "kept", why)
        return self._correct(_marked(manifest, live), live)

    def _correct(self, manifest: Manifest, live: Manifest) -> Outcome:
        preview = self._patch(manifest, force=True, dry_run=True)
        if _substance(preview) == _substance(live):
            return self.outcome(manifest, "unchanged")
        self._patch(manifest, force=True, dry_run=self.dry_run)
        return self.outcome(manifest, "updated")

    def _anew(self, manifest: Manifest, live: Manifest, fixed: str) -> Outcome:
        """Delete an object that cannot be corrected, and create it; another's is not deleted."""
        if not _ours(live):
            state: State = "refused" if self.adopt or made_by_us(live) else "kept"
            why = f"another made it, and {fixed}; `{self._by_hand(manifest)}`, then run again"
            return self.outcome(manifest, state, why)
        self._delete(manifest, live)
        if self.dry_run:
            return self.outcome(manifest, "updated", f"made anew: {fixed}")
        done = self._apply(manifest)
        anew = replace(done, state="updated", why=f"made anew: {fixed}")
        return anew if done.state == "created" else done

    def _by_hand(self, manifest: Manifest) -> str:
        namespace = self._namespace(manifest)
        place = f" -n {namespace}" if namespace else ""
        return f"oc delete {manifest['kind'].lower()} {manifest['metadata']['name']}{place}"

    def _bound_to(self, role: Manifest, gone: Sequence[Outcome]) -> list[str]:
        """Return the names of the bindings that name a role, where it stands."""
        kind, name = role["kind"], role["metadata"]["name"]
        without = {one.name for one in gone if one.namespace == self._namespace(role)}
        listed = request(self.api, "GET", f"{self._place(role)}/{kind.lower()}bindings")
        refs = {one["metadata"]["name"]: one["roleRef"] for one in listed["items"]}
        to_it = {one for one, ref in refs.items() if (ref["kind"], ref["name"]) == (kind, name)}
        return sorted(to_it - without)

    def _find(self, manifest: Manifest) -> Manifest | None:
        from kubernetes.client.rest import ApiException

        try:
            return cast(Manifest, request(self.api, "GET", self._path(manifest)))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def _delete(self, manifest: Manifest, live: Manifest) -> None:
        body: dict[str, Any] = {"preconditions": {"uid": live["metadata"]["uid"]}}
        # Beside a body, the server does not read the query: it would delete.
        body |= {"dryRun": ["All"]} if self.dry_run else {}
        request(self.api, "DELETE", self._path(manifest), body=body)

    def _patch(self, manifest: Manifest, *, force: bool, dry_run: bool) -> Manifest:
        query = [("fieldManager", FIELD_MANAGER), ("force", str(force).lower())]
        query += [("dryRun", "All")] if dry_run else []
        return cast(Manifest, request(self.api, "PATCH", self._path(manifest), query, manifest))

    def _path(self, manifest: Manifest) -> str:
        plural = f"{manifest['kind'].lower()}s"
        return f"{self._place(manifest)}/{plural}/{manifest['metadata']['name']}"

    def _place(self, manifest: Manifest) -> str:
        version, namespace = manifest["apiVersion"], self._namespace(manifest)
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{root}/namespaces/{namespace}" if namespace else root

    def _namespace(self, manifest: Manifest) -> str:
        if manifest["kind"] in _CLUSTER:
            return ""
        return str(manifest["metadata"].get("namespace") or self.namespace)


def because(error: "ApiException") -> str:
    """Return why the API server refused, and what to do."""
    refused = refusal("", error)
    return f"{refused.why}; {refused.remedy}"


def refused(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return those that could not be done."""
    return [one for one in outcomes if one.state == "refused"]


def _ours(live: Manifest) -> bool:
    """Return whether modelcar made an object, and did not just take it over."""
    return made_by_us(live) and not _adopted(live)


def _adopted(live: Manifest) -> bool:
    return _ADOPTED in (live["metadata"].get("annotations") or {})


def _marked(manifest: Manifest, live: Manifest) -> Manifest:
    """Have the object say that another made it, where that is so; an apply drops what it lacks."""
    if _ours(live):
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), _ADOPTED: "true"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _fixed(live: Manifest, manifest: Manifest) -> str:
    """Return what cannot be changed and would have to be, nothing where all can."""
    for key in _FIXED:
        wanted, there = manifest.get(key), live.get(key)
        if wanted and wanted != there:
            return f"its {key} cannot be changed from {_named(there)} to {_named(wanted)}"
    return ""


def _named(value: Any) -> str:
    return str(value["name"] if isinstance(value, Mapping) else value)


def _holds(live: Manifest, manifest: Manifest) -> bool:
    """Return whether a secret is of this type and holds these values already, whoever made it."""
    wanted: Mapping[str, str] | None = manifest.get("data")
    there = live.get("data") or {}
    same = bool(wanted) and wanted == {key: there.get(key) for key in wanted or ()}
    return same and live.get("type") == manifest["type"]


def _substance(live: Manifest) -> Manifest:
    metadata = {key: v for key, v in live["metadata"].items() if key not in _COUNTED}
    return {**live, "metadata": metadata, "status": None}
