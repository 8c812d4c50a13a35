"""What a cluster says of itself: its pipelines server, its Model Registry, the Route's CA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from modelcar.bootstrap.objects import MODEL_REGISTRIES
from modelcar.cluster import request
from modelcar.look import items, look

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

SERVERS: Final = "datasciencepipelinesapplications"
_REST: Final = "-rest"


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    """A Model Registry's name, the address of its Route, and the namespace that has it."""

    name: str
    url: str
    namespace: str


def pipelines_servers(api: "ApiClient", namespace: str) -> Sequence[dict[str, Any]] | None:
    """Return the namespace's pipelines servers, None where they are hidden."""
    for version in ("v1", "v1alpha1"):
        path = f"/apis/{SERVERS}.opendatahub.io/{version}/namespaces/{namespace}/{SERVERS}"
        listed = items(look(api, path))
        if listed is None or listed:
            return listed
    return ()


def accounts(api: "ApiClient", namespace: str) -> Sequence[str]:
    """Return the names of the namespace's service accounts, none where they are hidden."""
    listed = items(look(api, f"/api/v1/namespaces/{namespace}/serviceaccounts")) or ()
    return [str(item["metadata"]["name"]) for item in listed]


def model_registries(api: "ApiClient") -> Sequence[ModelRegistry]:
    """Return the Model Registries whose Routes may be seen.

    The operator has them answer at `NAME-rest.` and the cluster's domain.
    """
    found = []
    for namespace in MODEL_REGISTRIES:
        path = f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes"
        for item in items(look(api, path)) or ():
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
    config = look(api, path)
    data = (config.get("data") or {}) if isinstance(config, dict) else {}
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
