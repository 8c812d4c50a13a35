"""What a cluster says of itself: its pipelines server, its Model Registry, the Route's CA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from modelcar.bootstrap.objects import MODEL_REGISTRIES
from modelcar.cluster import request

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_SERVERS: Final = "datasciencepipelinesapplications"
_REST: Final = "-rest"


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    """A Model Registry's name, the address of its Route, and the namespace that has it."""

    name: str
    url: str
    namespace: str


def pipelines_server(api: "ApiClient", namespace: str) -> str:
    """Return the name of the namespace's pipelines server, nothing where none may be seen."""
    return next(iter(pipelines_servers(api, namespace) or ()), "")


def pipelines_servers(api: "ApiClient", namespace: str) -> Sequence[str] | None:
    """Return the names of the namespace's pipelines servers, None where they are hidden."""
    for version in ("v1", "v1alpha1"):
        path = f"/apis/{_SERVERS}.opendatahub.io/{version}/namespaces/{namespace}/{_SERVERS}"
        code, listed = _answer(api, path)
        if code == 403:
            return None
        if names := [str(item["metadata"]["name"]) for item in listed.get("items", ())]:
            return names
    return ()


def accounts(api: "ApiClient", namespace: str) -> Sequence[str]:
    """Return the names of the namespace's service accounts, none where they are hidden."""
    items = _items(api, f"/api/v1/namespaces/{namespace}/serviceaccounts")
    return [str(item["metadata"]["name"]) for item in items]


def status(api: "ApiClient", namespace: str) -> int:
    """Return the HTTP status of a namespace: 200, 403 or 404."""
    return _answer(api, f"/api/v1/namespaces/{namespace}")[0]


def model_registries(api: "ApiClient") -> Sequence[ModelRegistry]:
    """Return the Model Registries whose Routes may be seen.

    The operator has them answer at `NAME-rest.` and the cluster's domain.
    """
    found = []
    for namespace in MODEL_REGISTRIES:
        for item in _items(api, f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes"):
            url = f"https://{(item.get('spec') or {}).get('host') or ''}"
            if name := name_of(url):
                found.append(ModelRegistry(name, url, namespace))
    return found


def name_of(url: str) -> str:
    """Return the name of the Model Registry at that address, nothing where it does not tell."""
    first = (urlsplit(url).hostname or "").partition(".")[0]
    return first.removesuffix(_REST) if first.endswith(_REST) else ""


def ingress_ca(api: "ApiClient") -> str:
    """Return the CA certificates of the cluster's Routes as PEM, nothing where they are hidden."""
    path = "/api/v1/namespaces/openshift-config-managed/configmaps/default-ingress-cert"
    data = _answer(api, path)[1].get("data") or {}
    return str(data.get("ca-bundle.crt", ""))


def secret(api: "ApiClient", namespace: str, name: str) -> Mapping[str, str] | None:
    """Return a secret's data in base64, None where it is not there.

    Raises what the client library raises, also where it is hidden.
    """
    from kubernetes.client.rest import ApiException

    try:
        found = request(api, "GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    return found.get("data") or {}


def _items(api: "ApiClient", path: str) -> Sequence[dict[str, Any]]:
    return cast(Sequence[dict[str, Any]], _answer(api, path)[1].get("items", ()))


def _answer(api: "ApiClient", path: str) -> tuple[int, dict[str, Any]]:
    """Return 200 and what stands there, or 403 or 404 and nothing."""
    from kubernetes.client.rest import ApiException

    try:
        return 200, request(api, "GET", path)
    except ApiException as error:
        if error.status in (403, 404):
            return int(error.status), {}
        raise
