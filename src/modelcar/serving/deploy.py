"""Deploying one image as an InferenceService: look up, apply what differs, wait, ask it."""

import logging
import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelcar import cluster
from modelcar.errors import DeployError
from modelcar.names import dns_name
from modelcar.serving.apply import Applying, Before
from modelcar.serving.check import check
from modelcar.serving.history import previous
from modelcar.serving.manifest import Manifest, inference_service
from modelcar.serving.objects import Objects, find_service
from modelcar.serving.rollout import Rollout
from modelcar.serving.smoke import NOT_ASKED, SmokeResult
from modelcar.serving.smoke import smoke as ask
from modelcar.values import Endpoint, ImageDigest, Model, ModelVersion

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

_BASE_TIMEOUT = 3600.0
_PULL_RATE = 20e6
"""Bytes per second of a cold pull, slow but seen: 140 GB take about 77 minutes."""
_SETTLE = 60.0


def render(
    model: Model,
    image: ImageDigest,
    namespace: str,
    *,
    registered: ModelVersion | None = None,
    model_registry_name: str = "",
) -> Manifest:
    """Return the InferenceService that `deploy` would apply; raise DeployError for its faults."""
    manifest = inference_service(
        model,
        image,
        namespace,
        registered=registered,
        model_registry_name=model_registry_name,
    )
    faults = check(manifest, image.digest)
    if faults:
        remedy = "correct the model's serving section"
        raise DeployError(f"deploying {model.name}", "; ".join(faults), remedy)
    return manifest


def deploy(
    api: "ApiClient",
    model: Model,
    image: ImageDigest,
    namespace: str,
    *,
    registered: ModelVersion | None = None,
    model_registry_name: str = "",
    image_bytes: int = 0,
    timeout: float | None = None,
    settle: float = _SETTLE,
    adopt: bool = False,
    smoke: bool = True,
    token: str = "",
    ca_file: str = "",
    proven: bool = True,
    before: Before | None = None,
) -> Endpoint:
    """Serve `image`, and return the endpoint once it answers.

    An InferenceService that is as it should be is not written. One that another made is refused,
    unless `adopt`. `timeout` is in seconds, by default an hour and the time to pull `image_bytes`;
    what cannot heal is waited for `settle` seconds. `token` and `ca_file` are for the smoke test;
    without a token, that of MODELCAR_ENDPOINT_TOKEN or of `api` is shown. Unless what stands is
    `proven`, it is not recorded as what served before. `before` is called ahead of a write, and may
    take long. Raises DeployError.
    """
    began = time.monotonic()
    manifest = render(
        model,
        image,
        namespace,
        registered=registered,
        model_registry_name=model_registry_name,
    )
    name, objects = manifest["metadata"]["name"], Objects(api, namespace)
    with cluster.asking(f"applying {namespace}/{name}"):
        Applying(objects, manifest, model.serving, adopt, proven).apply(before)
    service = Rollout(objects, name, patience(image_bytes, timeout), settle).wait(image.digest)
    url = endpoint_url(service, inside=cluster.inside())
    shown = token or _own_token(api, model, url)
    answer = _try_out(url, name, shown, ca_file) if smoke else NOT_ASKED
    took = round(time.monotonic() - began, 1)
    speed = (round(answer.seconds_to_first_token, 3), round(answer.tokens_per_second, 1))
    return Endpoint(name, namespace, url, took, *speed, bool(shown), previous(service)[0])


def patience(image_bytes: int, timeout: float | None = None) -> float:
    """Return how many seconds a rollout may take: an hour and the time to pull, unless given."""
    return _BASE_TIMEOUT + image_bytes / _PULL_RATE if timeout is None else timeout


def applied_url(api: "ApiClient", model: Model, namespace: str) -> str:
    """Return where the model's live service answers, or nothing; raise DeployError."""
    service = find_service(api, dns_name(model.name), namespace)
    return _url(service, inside=cluster.inside()) if service else ""


def endpoint_url(service: Manifest, *, inside: bool) -> str:
    """Return where a ready service answers, for a caller `inside` the cluster or outside it.

    Raises DeployError when the status names no address.
    """
    url = _url(service, inside=inside)
    if url:
        return url
    what = f"deploying {service['metadata']['name']}"
    raise DeployError(what, "it is ready, yet its status names no URL", "look at its Route")


def can_be_asked(url: str) -> bool:
    """Return whether an endpoint can be reached from here: a Service only inside the cluster."""
    host = urlsplit(url).hostname or ""
    return cluster.inside() or not host.endswith((".svc", ".svc.cluster.local"))


def _url(service: Manifest, *, inside: bool) -> str:
    status = service.get("status", {})
    internal, external = status.get("address", {}).get("url", ""), status.get("url", "")
    return str((internal or external) if inside else (external or internal))


def _own_token(api: "ApiClient", model: Model, url: str) -> str:
    """Return the token for the service's auth proxy: the one that is set, else the caller's."""
    if not model.serving.auth or urlsplit(url).scheme != "https":
        return ""
    return os.environ.get("MODELCAR_ENDPOINT_TOKEN") or cluster.own_token(api)


def _try_out(url: str, name: str, token: str, ca_file: str) -> SmokeResult:
    if not can_be_asked(url):
        log.warning("%s: not tried out: %s is only reached inside the cluster", name, url)
        return NOT_ASKED
    result = ask(url, name, token=token, ca_file=ca_file)
    times = (result.seconds_to_first_token, result.tokens_per_second)
    log.info("%s: first token after %.2f s, %.1f tokens/s: %r", name, *times, result.text)
    return result
