"""What is said of a refusal by a server or by skopeo: asked of the code that says it."""

from collections.abc import Iterator

from kubernetes.client.rest import ApiException
from urllib3.response import HTTPResponse

from modelcar import cluster, skopeo
from modelcar.errors import ModelCarError, Stopped
from modelcar.hub import Hub
from modelcar.model_registry import failures
from modelcar.oci import http
from modelcar.oci.reference import Repository
from modelcar.skopeo_process import SILENT

_URL = "https://HOST/model-registry/NAME"
_REFUSED = ('cannot VERB resource "RESOURCE" in API group "GROUP"', "exceeded quota")
"""What an API server says when it refuses."""
_SKOPEO = (
    SILENT,
    "unauthorized",
    "manifest unknown",
    "x509: certificate signed by unknown authority",
    "received unexpected HTTP status: 500 Internal Server Error",
    "dial tcp: lookup HOST: no such host",
    "no space left on device",
    "Digest did not match",
)
"""A last line of skopeo for each cause that is told apart."""


def answers() -> Iterator[tuple[str, str, str]]:
    """Yield a peer, what is said of its answer, and what to do.

    Raises ValueError for a remedy of skopeo's that no line here calls for.
    """
    for status in (429, 503):
        yield "HubError", *_parts(Hub()._unwell("", _response(status), may_pass=False))
    for status in (401, 403, 404, 413, 429, 500):
        remedy = http._remedy(Repository("HOST", "REPOSITORY"), _response(status))
        yield "OciRegistryError", f"… at OCI registry HOST: HTTP {status}", remedy
    yield from _of_skopeo()
    for status in (401, 403, 404, 500):
        remedy = failures._remedy(status, _URL)
        yield "ModelRegistryError", f"…: the server answered {status}", remedy
    for status in (401, 409):
        yield "DeployError", *_parts(cluster.refusal("", ApiException(status, reason="…")))
    for message in _REFUSED:
        refused = ApiException(403, reason=message)
        yield "DeployError", *_parts(cluster.refusal("", refused))
    yield "ModelCarError", f"{Stopped.what}: {Stopped.why}", Stopped.remedy


def _of_skopeo() -> Iterator[tuple[str, str, str]]:
    told = [skopeo.explain(("copy", "…", "…"), 1, line) for line in _SKOPEO]
    missing = {remedy for _, remedy in skopeo._CAUSES} - {one.remedy for one in told}
    if missing:
        raise ValueError(f"no line of scripts/docs_answers.py calls for: {'; '.join(missing)}")
    for line, one in zip(_SKOPEO, told, strict=True):
        yield "MirrorError", f"skopeo copy of … to …: exit 1, … {line}", one.remedy


def _parts(error: ModelCarError) -> tuple[str, str]:
    return f"…: {error.why}", error.remedy


def _response(status: int) -> HTTPResponse:
    return HTTPResponse(status=status)
