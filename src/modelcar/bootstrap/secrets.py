"""The secrets that the pipeline mounts, from the keys of a .env file. Pure.

The keys are the predecessor's: HF_TOKEN, QUAY_USERNAME, QUAY_PASSWORD, QUAY_ORGANIZATION and
MODEL_REGISTRY_URL.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from modelcar.bootstrap.objects import MADE_BY, Manifest
from modelcar.parameters import INTERNAL

QUAY: Final = "quay.io"
MODEL_REGISTRY: Final = "model-registry-config"
DOCKER: Final = "kubernetes.io/dockerconfigjson"
AUTH: Final = ".dockerconfigjson"


@dataclass(frozen=True, slots=True)
class Given:
    """What the secrets are made of; what is empty makes none."""

    hub_token: str = field(default="", repr=False)
    quay_user: str = ""
    quay_password: str = field(default="", repr=False)
    push_token: str = field(default="", repr=False)
    """The token of the account that pushes to the internal OCI registry."""
    model_registry: str = ""
    model_registry_ca: str = ""
    """PEM text."""
    auths: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of an auth file that is taken over, such as the predecessor's `quay-push`."""
    inside: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The login at the internal OCI registry of a run before, for want of a token."""


def secrets(given: Given) -> list[Manifest]:
    """Return the secrets, their values in base64 as the API server keeps them."""
    found = []
    if given.hub_token:
        found.append(_secret("huggingface-token", {"token": given.hub_token}))
    quay = _quay(given)
    if pushing := {**given.auths, **quay, **_internal(given)}:
        found.append(_docker("registry-auth", pushing))
    if pulling := {**given.auths, **quay}:
        found.append(_docker("quay-pull", pulling))
    if given.model_registry:
        ca = {"ca.crt": given.model_registry_ca} if given.model_registry_ca else {}
        found.append(_secret(MODEL_REGISTRY, {"url": given.model_registry, **ca}))
    return found


def _quay(given: Given) -> dict[str, Any]:
    if not (given.quay_user and given.quay_password):
        return {}
    return {QUAY: _login(given.quay_user, given.quay_password)}


def _internal(given: Given) -> dict[str, Any]:
    # Any user name will do there; the token counts.
    made = {INTERNAL: _login("token", given.push_token)}
    return made if given.push_token else dict(given.inside)


def _login(user: str, password: str) -> dict[str, str]:
    return {"auth": _base64(f"{user}:{password}")}


def _docker(name: str, auths: Mapping[str, Any]) -> Manifest:
    text = json.dumps({"auths": auths}, sort_keys=True)
    return {**_secret(name, {AUTH: text}), "type": DOCKER}


def _secret(name: str, texts: Mapping[str, str]) -> Manifest:
    metadata = {"name": name, "labels": dict(MADE_BY)}
    data = {key: _base64(text) for key, text in texts.items()}
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    return {**head, "type": "Opaque", "data": data}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
