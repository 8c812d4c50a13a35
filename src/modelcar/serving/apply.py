"""Bringing what stands to what a manifest says, with a write only where it differs."""

import logging
from collections.abc import Callable
from typing import Any

from modelcar.errors import DeployError
from modelcar.serving import runtime
from modelcar.serving.history import image_of, remembering
from modelcar.serving.manifest import Manifest
from modelcar.serving.objects import FIELD_MANAGER, Objects
from modelcar.serving.rollout import State
from modelcar.serving.spare import RECREATE, strategy, strategy_of, with_strategy
from modelcar.values import Serving

log = logging.getLogger(__name__)


Before = Callable[[], object]


def apply(
    objects: Objects,
    manifest: Manifest,
    serving: Serving,
    *,
    adopt: bool,
    proven: bool,
    before: Before,
) -> None:
    """Apply an InferenceService where the live one would come out different.

    One that another made is refused unless `adopt`; unless what stands is `proven`, it is not
    recorded as what served before. `before` is called ahead of a write that the server would take.
    Raises DeployError, and what the client library raises.
    """
    live = objects.service(manifest["metadata"]["name"])
    if live is not None:
        _refuse(live, made_by_us(live) or adopt)
        _update(objects, manifest, live, serving, proven, before)
        return
    # First on trial, so that no runtime is left behind for a service that is refused; without
    # force, so that one which another makes in this moment is refused as well.
    objects.apply(manifest, force=False, dry_run=True)
    runtime.ensure(objects, serving.runtime)
    before()
    objects.apply(manifest, force=False)
    log.info("%s: created", manifest["metadata"]["name"])


def made_by_us(live: Manifest) -> bool:
    """Return whether an InferenceService was applied by modelcar."""
    fields = live["metadata"].get("managedFields", ())
    return any(f["manager"] == FIELD_MANAGER and f["operation"] == "Apply" for f in fields)


def _update(
    objects: Objects,
    manifest: Manifest,
    live: Manifest,
    serving: Serving,
    proven: bool,
    before: Before,
) -> None:
    serves = _serves(objects, live)
    served = proven and serves and image_of(live) != image_of(manifest)
    manifest = remembering(manifest, live, served)
    unchanged = not _differs(objects, manifest, live) and made_by_us(live)
    runtime.ensure(objects, serving.runtime)
    if unchanged:
        log.info("%s: unchanged", live["metadata"]["name"])
        return
    before()
    kind = strategy(objects, serving) if serves else RECREATE
    objects.apply(with_strategy(manifest, kind), force=True)
    log.info("%s: updated (%s)", live["metadata"]["name"], kind)


def _differs(objects: Objects, manifest: Manifest, live: Manifest) -> bool:
    """Ask the server what would change: it has defaults, webhooks and quantities of its own.

    The strategy alone is no reason to write: which GPUs are free changes from hour to hour.
    """
    kept = with_strategy(manifest, strategy_of(live))
    return _substance(objects.apply(kept, force=True, dry_run=True)) != _substance(live)


def _serves(objects: Objects, live: Manifest) -> bool:
    name = live["metadata"]["name"]
    return State(live, objects.deployment(name), objects.pods(name)).serves_its_own()


def _refuse(live: Manifest, allowed: bool) -> None:
    name = live["metadata"]["name"]
    what = f"applying {live['metadata']['namespace']}/{name}"
    if "deletionTimestamp" in live["metadata"]:
        raise DeployError(what, "it is being deleted", "run again when it is gone")
    if not allowed:
        makers = sorted({f["manager"] for f in live["metadata"].get("managedFields", ())})
        why = f"an InferenceService of this name was made by {', '.join(makers) or 'another'}"
        raise DeployError(what, why, "take it over with --adopt, or give the model another name")


def _substance(service: Manifest) -> dict[str, Any]:
    """Return the object without what the server counts up, and without its status."""
    counted = ("managedFields", "resourceVersion", "generation")
    metadata = {k: v for k, v in service["metadata"].items() if k not in counted}
    return {"metadata": metadata, "spec": service["spec"]}
