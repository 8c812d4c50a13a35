"""Making a namespace ready for the pipeline."""

import logging
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from modelcar.bootstrap import objects, pull_secret, push_token, secrets, serving_runtime
from modelcar.bootstrap.applying import Applier, Outcome
from modelcar.bootstrap.asked import Request
from modelcar.bootstrap.looking import look
from modelcar.bootstrap.objects import Names
from modelcar.bootstrap.secrets import Given
from modelcar.cluster import asking

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)


def bootstrap(api: "ApiClient", asked: Request) -> Iterator[Outcome]:
    """Yield what became of each object; raise DeployError where the API server does not answer.

    What needs more rights than the user has is refused by itself, and the rest goes on.
    """
    _say_where_to_mirror(asked)
    with asking(f"making {asked.namespace} ready"):
        looked = look(api, asked)
        applier = Applier(api, asked.namespace, asked.adopt, asked.dry_run)
        token = yield from _inside(applier, asked, looked.names)
        yield from _secrets(applier, replace(looked.given, push_token=token), looked.hidden)
        yield serving_runtime.made(api, asked.namespace, asked.dry_run)
        for manifest in objects.elsewhere(looked.names):
            yield applier.apply(manifest)


def _inside(applier: Applier, asked: Request, names: Names) -> Generator[Outcome, None, str]:
    """Apply what stands in the namespace itself, and return the token that pushes."""
    new = False
    for manifest in objects.namespaced(names):
        outcome = applier.apply(manifest)
        new = new or (outcome.name, outcome.state) == (push_token.SECRET, "created")
        yield outcome
    seconds = asked.wait if new and not asked.dry_run else 0
    return (yield from push_token.awaited(applier.api, asked.namespace, seconds))


def _secrets(applier: Applier, given: Given, hidden: str) -> Iterator[Outcome]:
    """Apply the secrets; while logins are hidden, none is written over them."""
    for secret in secrets.secrets(given):
        if hidden and secret["type"] == secrets.DOCKER:
            yield applier.outcome(secret, "refused", hidden)
        else:
            yield applier.apply(secret)
    if given.auths or (given.quay_user and not hidden):
        yield pull_secret.link(applier.api, applier.namespace, applier.dry_run)


def _say_where_to_mirror(asked: Request) -> None:
    """Say where the predecessor's QUAY_ORGANIZATION goes now: no secret has a place for it."""
    organization = asked.values.get("QUAY_ORGANIZATION")
    if organization and not asked.site.mirror:
        said = "QUAY_ORGANIZATION is not stored: to copy images there, write %s in site.yaml"
        log.warning(said, f"`mirror: {secrets.QUAY}/{organization}`")
