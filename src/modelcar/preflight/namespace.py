"""What stands in the namespace for a run: its volume claim and its pull secret."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from modelcar import quantity
from modelcar.look import look
from modelcar.preflight.finding import Finding, State
from modelcar.wording import size

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_MAKE: Final = "run `modelcar bootstrap"


def volume(api: "ApiClient", namespace: str, claim: str, needed: int) -> Iterator[Finding]:
    """Look at the volume claim: is it there, bound, and large enough for that many bytes."""
    pvc = look(api, f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")
    if isinstance(pvc, str):
        state: State = "failed" if pvc == "absent" else "unknown"
        what = f"{claim} is {'not there' if pvc == 'absent' else 'hidden'}"
        yield Finding("pvc", state, what, f"{_MAKE} -n {namespace}`")
        return
    yield _claim(claim, pvc, needed, f"{_MAKE} -n {namespace}`")


def pull_secret(api: "ApiClient", namespace: str, name: str) -> Iterator[Finding]:
    """Look for the secret that the model names for its nodes to pull with."""
    if not name:
        yield Finding("pull_secret", "ok", "none is named")
        return
    there = look(api, f"/api/v1/namespaces/{namespace}/secrets/{name}")
    if there == "absent":
        remedy = f"{_MAKE} -n {namespace} --env-file .env`, or name another"
        yield Finding("pull_secret", "failed", f"{name} is not there", remedy)
    elif there == "hidden":
        yield Finding("pull_secret", "unknown", f"{name} may not be looked up")
    else:
        yield Finding("pull_secret", "ok", f"{name} is there")


def runtime(api: "ApiClient", namespace: str, name: str) -> Iterator[Finding]:
    """Look for the serving runtime in the namespace itself."""
    remedy = "deploy makes it from the cluster's template, where that may be read"
    absent = Finding("runtime", "warning", f"{name} is not there", remedy)
    yield standing(api, namespace, name) or absent


def standing(api: "ApiClient", namespace: str, name: str) -> Finding | None:
    """Return how the serving runtime stands in the namespace, None where it is not there."""
    group = "/apis/serving.kserve.io/v1alpha1"
    there = look(api, f"{group}/namespaces/{namespace}/servingruntimes/{name}")
    if there == "absent":
        return None
    if there == "hidden":
        return Finding("runtime", "unknown", f"{name} may not be looked up")
    if isinstance(there, dict) and "deletionTimestamp" in there["metadata"]:
        return Finding("runtime", "warning", f"{name} is being deleted", "wait until it is gone")
    return Finding("runtime", "ok", f"{name} is there")


def _claim(name: str, pvc: dict[str, Any], needed: int, again: str) -> Finding:
    status = pvc.get("status") or {}
    asked = pvc["spec"]["resources"]["requests"]["storage"]
    room = quantity.parse(str((status.get("capacity") or {}).get("storage", asked))) or Decimal(0)
    if needed > room:
        remedy = "take a larger one, or modelcar-overlapped, which keeps no file there"
        what = f"{name} has {size(float(room))}, the files take {size(needed)}"
        return Finding("pvc", "failed", what, remedy)
    if "deletionTimestamp" in pvc["metadata"]:
        return Finding("pvc", "failed", f"{name} is being deleted", f"wait, and {again}")
    if status.get("phase") == "Lost":
        return Finding("pvc", "failed", f"{name} has lost its volume", f"delete it, and {again}")
    if status.get("phase") != "Bound":
        what = f"{name} is not bound yet; that may come with the first pod"
        return Finding("pvc", "warning", what, "read `oc describe pvc` if it stays so")
    return Finding("pvc", "ok", f"{name} is bound, with {size(float(room))}")
