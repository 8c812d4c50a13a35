"""Looking at single objects of the API server: there, not there, or hidden."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from modelcar.cluster import request

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Looked = dict[str, Any] | Literal["absent", "hidden"]


def look(api: "ApiClient", path: str) -> Looked:
    """Return an object, or why there is none; raise what the client library raises."""
    from kubernetes.client.rest import ApiException

    try:
        return cast(dict[str, Any], request(api, "GET", path))
    except ApiException as error:
        if error.status == 404:
            return "absent"
        if error.status == 403:
            return "hidden"
        raise


def items(looked: Looked) -> Sequence[dict[str, Any]] | None:
    """Return what a list has, None where it is hidden."""
    if looked == "hidden":
        return None
    return () if isinstance(looked, str) else cast(Sequence[dict[str, Any]], looked["items"])
