"""What a cluster says of itself: its pipelines server, its Model Registry, the Route's CA."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from modelcar.cluster import request

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_SERVERS: Final = "datasciencepipelinesapplications"
_REGISTRIES: Final = ("rhoai-model-registries", "odh-model-registries")
_REST: Final = "-rest"


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    """A Model Registry's name and the address of its Route."""

    name: str
    url: str


def pipelines_server(api: "ApiClient", namespace: str) -> str:
    """Return the name of the namespace's pipelines server, nothing where none may be seen."""
    for version in ("v1", "v1alpha1"):
        path = f"/apis/{_SERVERS}.opendatahub.io/{version}/namespaces/{namespace}/{_SERVERS}"
        for item in _items(api, path):
            return str(item["metadata"]["name"])
    return ""


def model_registries(api: "ApiClient") -> tuple[ModelRegistry, ...]:
    """Return the Model Registries whose Routes may be seen.

    The operator has them answer at `NAME-rest.` and the cluster's domain.
    """
    found = []
    for namespace in _REGISTRIES:
        for item in _items(api, f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes"):
            url = f"https://{(item.get('spec') or {}).get('host') or ''}"
            if name := name_of(url):
                found.append(ModelRegistry(name, url))
    return tuple(found)


def name_of(url: str) -> str:
    """Return the name of the Model Registry at that address, nothing where it does not tell."""
    first = (urlsplit(url).hostname or "").partition(".")[0]
    return first.removesuffix(_REST) if first.endswith(_REST) else ""


def ingress_ca(api: "ApiClient") -> str:
    """Return the CA certificates of the cluster's Routes as PEM, nothing where they are hidden."""
    path = "/api/v1/namespaces/openshift-config-managed/configmaps/default-ingress-cert"
    data = (_readable(api, path) or {}).get("data") or {}
    return str(data.get("ca-bundle.crt", ""))


def secret(api: "ApiClient", namespace: str, name: str) -> dict[str, str]:
    """Return a secret's data in base64, nothing where it is hidden or not there."""
    found = _readable(api, f"/api/v1/namespaces/{namespace}/secrets/{name}") or {}
    return found.get("data") or {}


def _items(api: "ApiClient", path: str) -> Sequence[dict[str, Any]]:
    return cast(Sequence[dict[str, Any]], (_readable(api, path) or {}).get("items", ()))


def _readable(api: "ApiClient", path: str) -> dict[str, Any] | None:
    from kubernetes.client.rest import ApiException

    try:
        return cast(dict[str, Any], request(api, "GET", path))
    except ApiException as error:
        if error.status in (403, 404):
            return None
        raise
