"""The token of the account that pushes, which the cluster writes a moment after its Secret."""

import base64
import logging
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Final

from modelcar.bootstrap import found
from modelcar.bootstrap.applying import Outcome
from modelcar.bootstrap.objects import PUSHER

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

SECRET: Final = f"{PUSHER}-token"
_LATE: Final = "its token is not written yet; run again, before that nothing is pushed inside"
_PAUSE: Final = 0.5


def awaited(api: "ApiClient", namespace: str, seconds: float) -> Generator[Outcome, None, str]:
    """Return the token once it is written; after `seconds` yield that it is not.

    Nothing where the Secret is hidden or not there: applying it has said so.
    """
    from kubernetes.client.rest import ApiException

    try:
        token = _token(api, namespace, seconds)
    except ApiException as error:
        if error.status == 403:
            return ""
        raise
    if token == "":
        yield Outcome("Secret", SECRET, namespace, "waiting", _LATE)
    return token or ""


def _token(api: "ApiClient", namespace: str, seconds: float) -> str | None:
    """Return the token, nothing where it is not written in time, None where there is no Secret."""
    deadline = time.monotonic() + seconds
    data = found.secret(api, namespace, SECRET)
    if seconds and _unwritten(data):
        log.info("%s: waiting up to %g seconds for its token", SECRET, seconds)
    while _unwritten(data) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        data = found.secret(api, namespace, SECRET)
    return None if data is None else base64.b64decode(data.get("token", "")).decode()


def _unwritten(data: Mapping[str, str] | None) -> bool:
    return data is not None and not data.get("token")
