"""The part of the Model Registry's REST interface that is asked for here.

Each request and answer is held against the published interface, where that is at hand.
"""

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.servers.loopback import Bytes, LoopbackServer, Request, Response
from tests.servers.model_registry_store import Conflict, Kind, Store
from tests.servers.published import DELIBERATELY_WRONG, published

_PATH = re.compile(
    r"(?:/[^/]+)*?/api/model_registry/(?P<version>\w+)/(?P<kind>[a-z_]+)"
    r"(?:/(?P<id>[^/]+)(?:/(?P<children>[a-z_]+))?)?"
)
_COLLECTIONS: Mapping[str, Kind] = {
    "registered_models": "model",
    "model_versions": "version",
    "model_artifacts": "artifact",
    "artifacts": "artifact",
    "inference_services": "service",
}
_SEARCHES: Mapping[str, Kind] = {
    "registered_model": "model",
    "model_version": "version",
    "model_artifact": "artifact",
    "artifact": "artifact",
}
_CHILDREN: Mapping[tuple[str, str], Kind] = {
    ("registered_models", "versions"): "version",
    ("model_versions", "artifacts"): "artifact",
}
_REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "model": ("name",),
    "version": ("name", "registeredModelId"),
    "artifact": (),
    "service": ("registeredModelId", "servingEnvironmentId"),
}
_LONGEST_NAME = 255
_LONGEST_TEXT = 2704
"""Bytes, as PostgreSQL indexes them; other databases take more."""


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response = Response.json({"code": str(status), "message": message}, status)


class ModelRegistryServer(LoopbackServer):
    """A Model Registry that serves the API versions `paths`.

    `state` names a JSON file that outlives the server. With `token`, a proxy as OpenShift puts
    in front refuses requests without a bearer token, and those of `forbidden` tokens. Each answer
    takes `delay` seconds. Leaving the server fails when the published interface was broken; the
    answers of a `newer` server may go beyond it.
    """

    def __init__(
        self,
        paths: Collection[str] = ("v1alpha3",),
        *,
        state: Path | None = None,
        token: str = "",
        forbidden: Collection[str] = (),
        delay: float = 0.0,
        newer: bool = False,
        port: int = 0,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__(port=port, tls=tls)
        self.faults: list[str] = []
        self._delay, self._newer = delay, newer
        self.store = Store(state)
        self._paths, self._token, self._forbidden = paths, token, forbidden

    @property
    def writes(self) -> list[str]:
        """The requests that were to change something, as `METHOD /path`."""
        return [f"{seen.method} {seen.target}" for seen in self.requests if seen.method != "GET"]

    def failure(self, request: Request) -> Response | None:
        time.sleep(self._delay)
        if (document := published()) and DELIBERATELY_WRONG not in request.headers:
            asked = (request.method, request.path, request.query, request.body)
            self.faults += document.faults_of_request(*asked)
        return super().failure(request)

    def answer(self, request: Request) -> Response:
        refused = self._proxy(request)
        if refused:
            return refused
        response = self._answer(request)
        match = _PATH.fullmatch(request.path)
        known = match is not None and match["version"] in self._paths and not self._newer
        if known and (document := published()):
            content = b"".join(response.content.blocks(0, response.content.size))
            given = (request.method, request.path, response.status, content)
            self.faults += document.faults_of_response(*given)
        return response

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        assert error or not self.faults, "\n".join(self.faults)

    def _answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except _Refused as refusal:
            return refusal.response
        except Conflict as conflict:
            return _Refused(409, str(conflict)).response

    def _proxy(self, request: Request) -> Response | None:
        """Answer in plain text, as kube-rbac-proxy does, where the proxy would not let pass."""
        if request.token in self._forbidden:
            return Response(403, {"Content-Type": "text/plain"}, Bytes(b"Forbidden (verb=get)\n"))
        if self._token and request.token != self._token:
            return Response(401, {"Content-Type": "text/plain"}, Bytes(b"Unauthorized\n"))
        return None

    def _route(self, request: Request) -> Response:
        match = _PATH.fullmatch(request.path)
        if match is None or match["version"] not in self._paths:
            raise _Refused(404, f"no route for {request.path}")
        name, key, children = match["kind"], match["id"], match["children"]
        if name in _SEARCHES and key is None and request.method == "GET":
            return self._find(_SEARCHES[name], request.query)
        if (name, children) in _CHILDREN:
            return self._children(name, key, _CHILDREN[name, children], request)
        if name in _COLLECTIONS and children is None:
            kind = _COLLECTIONS[name]
            return self._one(kind, key, request) if key else self._all(kind, request)
        raise _Refused(404, f"no route for {request.path}")

    def _find(self, kind: Kind, query: Mapping[str, str]) -> Response:
        name, external, parent = map(query.get, ("name", "externalId", "parentResourceId"))
        if not external and not (name and (kind == "model" or parent)):
            raise _Refused(400, "name and parent, or externalId, must be given")
        for entity in self.store.all(kind, None if external else parent):
            if entity.get("externalId" if external else "name") == (external or name):
                return Response.json(entity)
        raise _Refused(404, f"no {kind} found for {dict(query)}")

    def _children(self, parents: str, key: str, kind: Kind, request: Request) -> Response:
        if self.store.get(_COLLECTIONS[parents], key) is None:
            raise _Refused(404, f"no {_COLLECTIONS[parents]} {key}")
        if request.method == "GET":
            return self._list(kind, key, request.query)
        if request.method != "POST":
            raise _Refused(405, f"{request.method} is not allowed")
        body = _body(request)
        if kind == "artifact" and "id" in body:
            return self._patch(kind, body["id"], body)
        return self._create(kind, key, body)

    def _all(self, kind: Kind, request: Request) -> Response:
        if request.method == "GET":
            return self._list(kind, None, request.query)
        if request.method != "POST":
            raise _Refused(405, f"{request.method} is not allowed")
        body = _body(request)
        parent = str(body.get("registeredModelId", "")) if kind == "version" else ""
        return self._create(kind, parent, body)

    def _create(self, kind: Kind, parent: str, body: dict[str, Any]) -> Response:
        if kind == "version":
            body["registeredModelId"] = parent
        for field in _REQUIRED[kind]:
            if not body.get(field):
                raise _Refused(422, f"required field {field!r} is empty")
        if len(f"{parent}:{body.get('name') or ''}") > _LONGEST_NAME:
            raise _Refused(500, "Data too long for column 'name'")
        if kind == "version" and self.store.get("model", parent) is None:
            raise _Refused(404, f"no model {parent}")
        return Response.json(self.store.create(kind, parent, body), 201)

    def _one(self, kind: Kind, key: str, request: Request) -> Response:
        if request.method == "PATCH":
            return self._patch(kind, key, _body(request))
        entity = self.store.get(kind, key)
        if request.method != "GET":
            raise _Refused(405, f"{request.method} is not allowed")
        if entity is None:
            raise _Refused(404, f"no {kind} {key}")
        return Response.json(entity)

    def _patch(self, kind: Kind, key: str, body: Mapping[str, Any]) -> Response:
        if self.store.get(kind, key) is None:
            raise _Refused(404, f"no {kind} {key}")
        return Response.json(self.store.patch(kind, key, body))

    def _list(self, kind: Kind, parent: str | None, query: Mapping[str, str]) -> Response:
        if query.get("filterQuery"):
            raise _Refused(400, "filterQuery is not served here")
        rows = [row for row in self.store.all(kind, parent) if _wanted(row, query)]
        rows.sort(key=_order(query), reverse=query.get("sortOrder") == "DESC")
        size, start = int(query.get("pageSize", "100")), int(query.get("nextPageToken") or "0")
        page, more = rows[start : start + size], start + size < len(rows)
        token = str(start + size) if more else ""
        return Response.json(
            {"items": page, "size": len(page), "pageSize": size, "nextPageToken": token}
        )


def _wanted(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    fields = ("name", "externalId", "artifactType")
    return all(row.get(field) == query[field] for field in fields if query.get(field))


def _order(query: Mapping[str, str]) -> Callable[[Mapping[str, Any]], tuple[int, int]]:
    names = {"CREATE_TIME": "createTimeSinceEpoch", "LAST_UPDATE_TIME": "lastUpdateTimeSinceEpoch"}
    field = names.get(query.get("orderBy", "ID"), "id")
    return lambda row: (int(row[field]), int(row["id"]))


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise _Refused(400, f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise _Refused(400, "the body is no object")
    properties = body.get("customProperties") or {}
    for name, value in properties.items():
        if not isinstance(value, dict) or "metadataType" not in value:
            raise _Refused(400, f"custom property {name!r} has no metadataType")
    texts = [body.get("description"), *(value.get("string_value") for value in properties.values())]
    if any(len((text or "").encode()) > _LONGEST_TEXT or "\0" in (text or "") for text in texts):
        raise _Refused(500, f"index row size exceeds maximum {_LONGEST_TEXT}")
    if any(len(name) > _LONGEST_NAME for name in properties):
        raise _Refused(500, "Data too long for column 'name'")
    return body
