"""What a Model Registry keeps: models, versions, their artifacts, and inference services."""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Kind = Literal["model", "version", "artifact", "service"]
Entity = dict[str, Any]

_DEFAULTS: Mapping[Kind, Entity] = {
    "model": {"state": "LIVE"},
    "version": {"state": "LIVE"},
    "artifact": {"state": "UNKNOWN", "artifactType": "model-artifact"},
    "service": {"desiredState": "DEPLOYED"},
}
_SERVERS_OWN = ("id", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch")
_UNCHANGEABLE = (*_SERVERS_OWN, "name", "registeredModelId", "artifactType")


class Conflict(Exception):
    """Another entity has this name or external id."""


class Store:
    """Entities by kind and id, in memory and, with `path`, in a JSON file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._lock = path, threading.RLock()
        self._rows: list[Entity] = []
        if path and path.exists():
            self._rows = json.loads(path.read_text())

    def get(self, kind: Kind, key: str) -> Entity | None:
        row = self._row(kind, key)
        return row["entity"] if row else None

    def all(self, kind: Kind, parent: str | None = None) -> list[Entity]:
        """Return the entities of a kind, or those below `parent`, in the order they came."""
        rows = [row for row in self._rows if row["kind"] == kind]
        return [row["entity"] for row in rows if parent is None or row["parent"] == parent]

    def create(self, kind: Kind, parent: str, fields: Mapping[str, Any]) -> Entity:
        """Keep a new entity; raise Conflict when its name or external id is taken."""
        with self._lock:
            self._refuse_twin(kind, parent, fields)
            now = _now()
            own = {"createTimeSinceEpoch": now, "lastUpdateTimeSinceEpoch": now}
            given = {key: value for key, value in fields.items() if key not in _SERVERS_OWN}
            number = max((int(row["entity"]["id"]) for row in self._rows), default=0) + 1
            entity = {**_DEFAULTS[kind], **given, "id": str(number), **own}
            entity.setdefault("name", f"{kind}-{entity['id']}")
            self._rows.append({"kind": kind, "parent": parent, "entity": entity})
            self._save()
            return entity

    def patch(self, kind: Kind, key: str, fields: Mapping[str, Any]) -> Entity:
        """Replace the fields given, custom properties as a whole, and keep the others."""
        with self._lock:
            row = self._row(kind, key)
            if row is None:
                raise KeyError(key)
            changed = {name: fields[name] for name in fields if name not in _UNCHANGEABLE}
            before = int(row["entity"]["lastUpdateTimeSinceEpoch"])
            later = str(max(int(_now()), before + 1))
            row["entity"] = {**row["entity"], **changed, "lastUpdateTimeSinceEpoch": later}
            self._save()
            return dict(row["entity"])

    def remove(self, kind: Kind, key: str) -> None:
        """Forget an entity, as if the client that was to create it had died before."""
        with self._lock:
            self._rows = [row for row in self._rows if row is not self._row(kind, key)]
            self._save()

    def _row(self, kind: Kind, key: str) -> Entity | None:
        found = (row for row in self._rows if row["kind"] == kind and row["entity"]["id"] == key)
        return next(found, None)

    def _refuse_twin(self, kind: Kind, parent: str, fields: Mapping[str, Any]) -> None:
        name, external = fields.get("name"), fields.get("externalId")
        if name and any(entity["name"] == name for entity in self.all(kind, parent)):
            raise Conflict(f"{kind} {name!r} already exists")
        if external and any(e.get("externalId") == external for e in self.all(kind)):
            raise Conflict(f"external id {external!r} already exists")

    def _save(self) -> None:
        if self._path:
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(self._rows, indent=1))
            part.replace(self._path)


def _now() -> str:
    return str(time.time_ns() // 1_000_000)
