"""Where a namespace's pipelines server answers, whom to trust there, and who asks."""

import logging
import os
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modelcar import cluster, trust
from modelcar.bootstrap import found
from modelcar.errors import DeployError, PipelinesError, UsageError
from modelcar.look import look

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

VARIABLE: Final = "MODELCAR_PIPELINES_URL"
_NAME_IT: Final = f"name its address with --endpoint or {VARIABLE}"
_GROUP: Final = f"{found.SERVERS}.opendatahub.io"
_SERVICE_PORT: Final = 8443


@dataclass(frozen=True, slots=True)
class Address:
    """A pipelines server; `ca` is what signs the cluster's Routes, as PEM, or nothing."""

    url: str
    namespace: str = ""
    """Where its runs are; empty where no cluster is known."""
    ca: str = field(default="", repr=False)


class Token:
    """The bearer token of kubeconfig or service account, which can be read again."""

    def __init__(self, read: Callable[[], str] = cluster.bearer_token) -> None:
        self._read = read
        self.text = self._checked()

    def renew(self) -> bool:
        """Read the token again; return whether it is another one."""
        before, self.text = self.text, self._checked()
        return self.text != before

    def _checked(self) -> str:
        text = self._read()
        if not trust.is_token(text):
            why = "it holds a line break, a blank or a letter that no token has"
            raise UsageError("the cluster's token", why, "log in again (`oc login`)")
        return text


def find(endpoint: str = "", namespace: str = "") -> Address:
    """Return the server at `endpoint`, else that of `namespace` or of the kubeconfig's own.

    Raises UsageError for what is no address, PipelinesError where there is none, DeployError for
    what the API server refuses.
    """
    if endpoint:
        return _named(base_url(endpoint), namespace)
    api, where = cluster.connect(), cluster.namespace(namespace)
    with cluster.asking(f"looking for the pipelines server of {where}"):
        url = url_of(api, where, server_of(api, where), in_pod=cluster.inside())
        return Address(url, where, found.ingress_ca(api))


def server_of(api: "ApiClient", namespace: str) -> str:
    """Return the name of the namespace's pipelines server; raise PipelinesError without one."""
    what, seen = f"the pipelines server of {namespace}", found.pipelines_servers(api, namespace)
    if seen is None:
        rule = f'{{apiGroups: ["{_GROUP}"], resources: ["{found.SERVERS}"], verbs: ["list"]}}'
        remedy = f"{_NAME_IT}, or add this rule to a Role of this account: {rule}"
        raise PipelinesError(what, "it may not be looked up", remedy)
    names = sorted(str(one["metadata"]["name"]) for one in seen)
    if not names:
        remedy = "make one in the dashboard (Pipelines, Configure pipeline server)"
        raise PipelinesError(what, "there is none", f"{remedy}, or choose another with --namespace")
    if len(names) > 1:
        raise PipelinesError(what, f"there are several: {', '.join(names)}", _NAME_IT)
    return names[0]


def url_of(api: "ApiClient", namespace: str, name: str, *, in_pod: bool) -> str:
    """Return the address of the server's Route, or in a pod, where that is not seen, its Service.

    Raises PipelinesError where there is neither.
    """
    service = f"ds-pipeline-{name}"
    path = f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes/{service}"
    route = look(api, path)
    host = (route.get("spec") or {}).get("host") if isinstance(route, dict) else ""
    if host:
        return f"https://{host}"
    if in_pod:
        return f"https://{service}.{namespace}.svc:{_SERVICE_PORT}"
    raise _no_route(f"the Route {service} of {namespace}", hidden=route == "hidden")


def base_url(text: str) -> str:
    """Return the address without the path of the API; raise UsageError for what is none.

    Plain HTTP would show the token to the network, and is spoken on loopback only.
    """
    try:
        parts = urllib.parse.urlsplit(text if "://" in text else f"https://{text}")
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", text):
        raise UsageError("the pipelines server's address", "it is not a URL", "write https://host")
    what = f"pipelines server address {parts.hostname}"  # the rest may hold a secret
    if "@" in parts.netloc or parts.query:
        raise UsageError(what, "it holds a user, a password or a query", "leave these out")
    if parts.scheme == "http" and not trust.is_loopback(parts.hostname or ""):
        raise UsageError(what, "plain HTTP would show the token to the network", "use https://")
    path = parts.path.partition("/apis/v2beta1")[0].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _named(url: str, namespace: str) -> Address:
    """Return a server named by its address; what the cluster adds to that need not be known.

    Nor is it asked where the user's own CAs are named too.
    """
    if not cluster.reachable():
        return Address(url, namespace)
    try:
        where = namespace or cluster.namespace()
        if os.environ.get(trust.CA_VARIABLE):
            return Address(url, where)
        api = cluster.connect()
        with cluster.asking("looking for the CA of the cluster's Routes"):
            return Address(url, where, found.ingress_ca(api))
    except DeployError as error:
        log.info("%s; what it would tell of %s is left out", error, url)
        return Address(url, namespace)


def _no_route(what: str, *, hidden: bool) -> PipelinesError:
    if hidden:
        rule = '{apiGroups: ["route.openshift.io"], resources: ["routes"], verbs: ["get"]}'
        remedy = f"{_NAME_IT}, or add this rule to a Role of this account: {rule}"
        return PipelinesError(what, "it may not be read", remedy)
    remedy = f"set spec.apiServer.enableOauth of the {found.SERVERS} to true, or {_NAME_IT}"
    return PipelinesError(what, "it is not there, or has no host yet", remedy)
