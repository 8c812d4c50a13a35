"""What the pipelines server refuses, or its silence, as our error: each with its own remedy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from modelcar.errors import PipelinesError
from modelcar.retries import TRANSIENT
from modelcar.trust import CA_VARIABLE, UNTRUSTED
from modelcar.wording import line

if TYPE_CHECKING:
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

LOG_IN: Final = "log in again (`oc login`): the token is missing or has expired"
_ANOTHER: Final = "check the address: it is that of the Route ds-pipeline-NAME, without a path"
_REMEDIES: Final = {
    401: LOG_IN,
    # The proxy in front asks for a right on the Route or on the server's object, by release.
    403: "have the Role ds-pipeline-user-access-NAME, or edit, of its namespace bound to you",
    404: _ANOTHER,
    407: "write the proxy's user and password into HTTPS_PROXY",
}
_POD: Final = "look at its pods: `oc get pods -l component=data-science-pipelines`"
_LENGTH: Final = 600


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what the server refuses, or its silence, into a PipelinesError about `what`."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _refusal(what, error) from error
    except HTTPError as error:
        raise _silence(what, error) from error
    except UnicodeDecodeError as error:
        raise no_server(what) from error


def no_server(what: str) -> PipelinesError:
    """Return the error about an answer that is not of this API, such as a page to log in."""
    return PipelinesError(what, "what answers there is no pipelines server", _ANOTHER)


def _refusal(what: str, error: "ApiException") -> PipelinesError:
    status = int(error.status or 0)
    if 300 <= status < 400:
        return PipelinesError(what, "it asks to log in", LOG_IN, status=status)
    remedy = _REMEDIES.get(status, _POD if status >= 500 else "correct what the server names")
    why = f"{_message(error)} (HTTP {status})"
    return PipelinesError(what, why, remedy, status=status, may_pass=status in TRANSIENT)


def _message(error: "ApiException") -> str:
    """Return what the server says: the gateway and the upload word it differently."""
    try:
        told = json.loads(error.body)
        text = told.get("error_message") or told.get("message") or told.get("error")
    except (TypeError, ValueError, AttributeError):
        text = None  # a proxy's page
    return line(str(text or error.reason or "it is refused"), _LENGTH)


def _silence(what: str, error: "HTTPError") -> PipelinesError:
    from urllib3.exceptions import ProxyError

    cause = getattr(error, "reason", None) or error
    if isinstance(cause, ProxyError):
        why, remedy = f"the proxy does not let it pass ({_root(cause)})", _proxy_remedy(cause)
        return PipelinesError(what, why, remedy)
    if UNTRUSTED in str(cause) and "mismatch" in str(cause):
        why = f"its certificate is another host's ({_root(cause)})"
        return PipelinesError(what, why, "name it by the host of its Route")
    if UNTRUSTED in str(cause):
        why = f"its certificate is signed by no CA that is trusted here ({_root(cause)})"
        remedy = f"name a file with its CA in {CA_VARIABLE}"
        return PipelinesError(what, why, remedy)
    why = f"the pipelines server does not answer ({_root(cause)})"
    remedy = f"check the network and the proxy variables, or {_POD}"
    return PipelinesError(what, why, remedy, may_pass=True)


def _root(error: BaseException) -> str:
    """Return the cause without the objects that urllib3 quotes."""
    text = str(error)
    return line(text.partition(">: ")[2] or text, 200)


def _proxy_remedy(error: BaseException) -> str:
    if "407" in str(error):
        return _REMEDIES[407]
    return "check HTTPS_PROXY, and name the server's host in NO_PROXY where no proxy leads to it"
