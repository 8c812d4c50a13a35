"""Bringing what stands to what a manifest says, with a write only where it differs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Applying:
    """One InferenceService to be applied.

    One that another made is refused unless `adopt`; unless what stands is `proven`, it is not
    recorded as what served before.
    """

    objects: Objects
    manifest: Manifest
    serving: Serving
    adopt: bool = False
    proven: bool = True

    def apply(self, before: Before | None = None) -> None:
        """Write where the live one would come out different; first call `before`, if it is given.

        That may take long: what stands is looked at anew afterwards. Raises DeployError, and what
        the client library raises.
        """
        change = self._change()
        if change is not None and before is not None:
            before()
            change = self._change()
        runtime.ensure(self.objects, self.serving.runtime)
        if change is None:
            log.info("%s: unchanged", self._name)
            return
        # Without force, one that another makes in this moment is refused as well.
        self.objects.apply(change, force=_updates(change))
        kind = strategy_of(change)
        log.info("%s: %s", self._name, f"updated ({kind})" if _updates(change) else "created")

    def _change(self) -> Manifest | None:
        """Return what to apply, which the server would take; None where nothing would change."""
        live = self.objects.service(self._name)
        if live is None:
            self.objects.apply(self.manifest, force=False, dry_run=True)
            return self.manifest
        ours = made_by_us(live)
        _refuse(live, ours or self.adopt)
        serves = _serves(self.objects, live)
        served = self.proven and serves and image_of(live) != image_of(self.manifest)
        manifest = _of(remembering(self.manifest, live, served), live)
        if not self._differs(manifest, live, serves) and ours:
            return None
        kind = strategy(self.objects, self.serving) if serves else RECREATE
        return with_strategy(manifest, kind)

    def _differs(self, manifest: Manifest, live: Manifest, serves: bool) -> bool:
        """Ask the server what would change: it has defaults, webhooks and quantities of its own.

        Of one that serves, the strategy alone is no reason to write: which GPUs are free changes
        from hour to hour. One that does not may wait for GPUs that are not free after all.
        """
        kept = with_strategy(manifest, strategy_of(live)) if serves else manifest
        preview = self.objects.apply(kept, force=True, dry_run=True)
        return _substance(preview) != _substance(live)

    @property
    def _name(self) -> str:
        return str(self.manifest["metadata"]["name"])


def made_by_us(live: Manifest) -> bool:
    """Return whether an InferenceService was applied by modelcar."""
    fields = live["metadata"].get("managedFields", ())
    return any(f["manager"] == FIELD_MANAGER and f["operation"] == "Apply" for f in fields)


def _of(manifest: Manifest, live: Manifest) -> Manifest:
    """Have the server refuse to write to another service of that name, made meanwhile."""
    return {**manifest, "metadata": {**manifest["metadata"], "uid": live["metadata"]["uid"]}}


def _updates(change: Manifest) -> bool:
    return "uid" in change["metadata"]


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
