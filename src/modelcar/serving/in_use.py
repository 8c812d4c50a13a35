"""Which images the InferenceServices of a cluster name: those they serve, and may go back to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modelcar import cluster, mentions
from modelcar.mentions import Mention
from modelcar.serving.history import previous

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, CustomObjectsApi

_SERVICES: Final = {
    "group": "serving.kserve.io",
    "version": "v1beta1",
    "plural": "inferenceservices",
    "_request_timeout": 60,
}


@dataclass(frozen=True, slots=True)
class InUse:
    """What the InferenceServices name, and the namespaces that were looked at, none for all."""

    mentions: tuple[Mention, ...]
    namespaces: tuple[str, ...] = ()


def in_use(api: "ApiClient", named: Sequence[str] = ()) -> InUse:
    """Look through the whole cluster, else the namespaces `named`, else the current one.

    Only an account that may not list the whole cluster is content with namespaces. Raises
    DeployError.
    """
    from kubernetes.client import CustomObjectsApi

    objects = CustomObjectsApi(api)
    services = _everywhere(objects)
    if services is not None:
        return InUse(_mentions(services))
    namespaces = tuple(named) or (cluster.namespace(),)
    listed = [item for namespace in namespaces for item in _in_namespace(objects, namespace)]
    return InUse(_mentions(listed), namespaces)


def _everywhere(objects: "CustomObjectsApi") -> list[Any] | None:
    from kubernetes.client.rest import ApiException

    with cluster.asking("listing the InferenceServices of the cluster"):
        try:
            return list(objects.list_cluster_custom_object(**_SERVICES)["items"])
        except ApiException as error:
            if error.status == 403:
                return None
            raise


def _in_namespace(objects: "CustomObjectsApi", namespace: str) -> list[Any]:
    with cluster.asking(f"listing the InferenceServices of namespace {namespace}"):
        return list(
            objects.list_namespaced_custom_object(namespace=namespace, **_SERVICES)["items"]
        )


def _mentions(services: Iterable[Any]) -> tuple[Mention, ...]:
    return tuple(
        mentions.find(
            f"InferenceService {item['metadata']['namespace']}/{item['metadata']['name']}",
            [item.get("spec"), previous(item)[0]],
        )
        for item in services
    )
