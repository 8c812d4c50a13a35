"""The Kubernetes API server: how to reach it, as whom, in which namespace, and what it refuses."""

import json
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcar.connections import address, proxy_for
from modelcar.errors import DeployError
from modelcar.trust import CA_VARIABLE, SERVICE_ACCOUNT, UNTRUSTED, ca_files, tls_context

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.client.rest import ApiException

APPLICATIONS = ("redhat-ods-applications", "opendatahub")
"""Where OpenShift AI, and Open Data Hub, keep runtimes' templates and KServe's configuration."""
_REMEDIES = {
    401: "log in again (`oc login`): the token is missing or has expired",
    409: "run again: the object changed meanwhile",
    **dict.fromkeys((301, 302, 303, 307, 308), "name the server it sends on to in the kubeconfig"),
}
_FORBIDDEN = re.compile(r'cannot (\w+) resource "([\w/]+)" in API group "([\w.]*)"')
# So the server refuses to create what is applied to an account that may only patch.
_MAY_NOT_CREATE = re.compile(r'(\w+)\.([\w.]+) "[^"]+" is forbidden:\s*')
_NAME_CA = f"name its CA's file in the kubeconfig (certificate-authority), or in {CA_VARIABLE}"
_VERIFY = "take insecure-skip-tls-verify out of the kubeconfig"
_LOG_IN = "log in with `oc login`, or name a kubeconfig file in KUBECONFIG"


def inside(service_account: Path = SERVICE_ACCOUNT) -> bool:
    """Return whether this process runs in a pod that may speak to its API server."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (service_account / "token").is_file()


def connect(
    kubeconfig: str | None = None, *, service_account: Path = SERVICE_ACCOUNT
) -> "ApiClient":
    """Return a client of the cluster, which verifies its certificate; no request is made yet.

    As `oc` does: the file given, else the one in KUBECONFIG, else the pod's service account, else
    the kubeconfig in the home folder; from outside through the proxy of HTTPS_PROXY. Raises
    DeployError, and UsageError for a proxy that is no address.
    """
    from kubernetes.client import ApiClient

    configuration = _configured(kubeconfig, service_account)
    if not configuration.verify_ssl:
        why = "the kubeconfig asks not to verify its certificate (insecure-skip-tls-verify)"
        raise DeployError("connecting to the cluster", why, f"{_VERIFY}, and {_NAME_CA}")
    api = ApiClient(configuration)
    made = api.rest_client.pool_manager.connection_pool_kw
    try:
        made["ssl_context"] = _tls(configuration.ssl_ca_cert)
    except OSError as error:  # ssl's own errors are among them
        why = f"CA file {configuration.ssl_ca_cert}: {error}"
        raise DeployError("connecting to the cluster", why, _NAME_CA) from error
    return api


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """Trust the kubeconfig's CA in place of the system's, and those that the user names, always."""
    if not ca_file:  # else certifi's alone, without the system's
        return tls_context.__wrapped__()
    context = ssl.create_default_context(cafile=ca_file)
    for path in ca_files():
        context.load_verify_locations(cafile=path)
    return context


def _configured(kubeconfig: str | None, service_account: Path) -> "Configuration":
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException
    from urllib3 import Retry
    from yaml import YAMLError

    configuration = Configuration()
    # Where a server sends on to is not asked: its answer would be believed, unnamed by anyone.
    configuration.retries = Retry(3, redirect=0, raise_on_redirect=False)
    try:
        _load(configuration, kubeconfig, service_account)
    except (ConfigException, YAMLError, OSError) as error:
        raise DeployError("connecting to the cluster", str(error).rstrip("."), _LOG_IN) from error
    return configuration


def namespace(
    explicit: str = "", kubeconfig: str | None = None, *, service_account: Path = SERVICE_ACCOUNT
) -> str:
    """Return the namespace to work in: the one given, the pod's, or the kubeconfig context's.

    Raises DeployError when none is named: the namespace `default` is never assumed.
    """
    found = explicit or _current_namespace(kubeconfig, service_account)
    if not found:
        remedy = "name one with --namespace, or choose one with `oc project NAME`"
        raise DeployError("choosing a namespace", "the kubeconfig context names none", remedy)
    return found


def own_token(api: "ApiClient") -> str:
    """Return the bearer token that `api` identifies itself with, or nothing."""
    return _token(api.configuration)


def _token(configuration: "Configuration") -> str:
    header = configuration.get_api_key_with_prefix("authorization") or ""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def reachable() -> bool:
    """Return whether `connect` has what it takes: a pod's service account, or a kubeconfig."""
    files = (os.path.expanduser(name) for name in _path(None).split(os.pathsep))  # noqa: PTH111
    return inside() or any(map(os.path.isfile, files))


def bearer_token() -> str:
    """Return the token that `connect` would identify itself with; nothing outside any cluster.

    Raises DeployError for a kubeconfig that cannot be read.
    """
    return _token(_configured(None, SERVICE_ACCOUNT)) if reachable() else ""


def request(
    api: "ApiClient",
    method: str,
    path: str,
    query: Sequence[tuple[str, str]] = (),
    body: Any = None,
    raw: bool = False,
) -> Any:
    """Send one request, and return the answer's JSON, or with `raw` the response itself.

    A PATCH applies on the server's side. One plain request: the library's dynamic client would
    first fetch the server's whole discovery, and keep it in a file that others on the machine can
    write. Raises what the client library raises, and DeployError for an answer of no API server.
    """
    headers = {"Accept": "*/*" if raw else "application/json"}
    if body is not None:
        patch = method == "PATCH"
        headers["Content-Type"] = f"application/{'apply-patch+yaml' if patch else 'json'}"
    answer = api.call_api(
        path,
        method,
        query_params=list(query),
        header_params=headers,
        body=body,
        response_type=None if raw else "object",
        _preload_content=not raw,
        auth_settings=["BearerToken"],
        _return_http_data_only=True,
        _request_timeout=60,
    )
    if not (raw or (isinstance(answer, dict) and "kind" in answer)):
        remedy = "check the server in the kubeconfig"
        raise DeployError(f"asking {api.configuration.host}", "it is no API server", remedy)
    return answer


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what the API server refuses, or its silence, into a DeployError about `what`."""
    from kubernetes.client.rest import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise refusal(what, error) from error
    except HTTPError as error:
        remedy = "check the network, the proxy variables and the server in the kubeconfig"
        remedy = _NAME_CA if UNTRUSTED in str(error) else remedy
        raise DeployError(what, f"the API server does not answer ({error})", remedy) from error


def refusal(what: str, error: "ApiException") -> DeployError:
    """Return the DeployError that says why the API server refused."""
    why = _message(error)
    if "could not find the requested resource" in why:
        why = "the cluster does not know that kind of object"
        return DeployError(what, why, "install OpenShift AI with KServe, or choose that cluster")
    remedy = _REMEDIES.get(error.status or 0, "correct what the API server names")
    if "exceeded quota" in why:
        remedy = "raise the namespace's quota, or stop another service"
    if rule := _missing_rule(why):
        remedy = f"add this rule to a Role of this account: {rule}"
    return DeployError(what, f"{why} (HTTP {error.status})", remedy)


def _missing_rule(message: str) -> str:
    """Return the rule that a refusal asks for, as a Role writes it; nothing for other refusals."""
    if match := _FORBIDDEN.search(message):
        verb, resource, group = match.groups()
    elif match := _MAY_NOT_CREATE.fullmatch(message):
        verb, (resource, group) = "create", match.groups()
    else:
        return ""
    return f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'


def _message(error: "ApiException") -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


def _outside(kubeconfig: str | None, service_account: Path) -> bool:
    return bool(kubeconfig or os.environ.get("KUBECONFIG")) or not inside(service_account)


def _load(configuration: "Configuration", kubeconfig: str | None, service_account: Path) -> None:
    from kubernetes.config import load_kube_config
    from kubernetes.config.incluster_config import InClusterConfigLoader

    if _outside(kubeconfig, service_account):
        load_kube_config(_path(kubeconfig), client_configuration=configuration)
        if proxy := proxy_for(configuration.host):
            configuration.proxy, configuration.proxy_headers = address(proxy)
        return
    InClusterConfigLoader(
        token_filename=str(service_account / "token"),
        cert_filename=str(service_account / "ca.crt"),
    ).load_and_set(configuration)


def _current_namespace(kubeconfig: str | None, service_account: Path) -> str:
    from kubernetes.config import ConfigException, list_kube_config_contexts
    from yaml import YAMLError

    if not _outside(kubeconfig, service_account):
        return (service_account / "namespace").read_text(encoding="utf-8").strip()
    try:
        _, active = list_kube_config_contexts(_path(kubeconfig))
    except (ConfigException, YAMLError, OSError) as error:
        raise DeployError("choosing a namespace", str(error), _LOG_IN) from error
    return str(active["context"].get("namespace", ""))


def _path(kubeconfig: str | None) -> str:
    # The client library reads KUBECONFIG when it is imported; what is set later counts as well.
    return kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
