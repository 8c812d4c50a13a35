"""The part of a Data Science Pipelines server's API v2beta1 that is asked for here, over HTTPS.

A proxy as OpenShift AI puts in front refuses requests without one of the bearer tokens.
"""

import email
import email.policy
import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

import kfp_server_api

from tests.servers.loopback import Bytes, LoopbackServer, Request, Response
from tests.servers.pipelines_checks import check_parameters, check_schedule, parsed
from tests.servers.pipelines_store import Invalid, Row, Store

_ROOT: Final = "/apis/v2beta1"
_PATH: Final = re.compile(rf"{_ROOT}/(?P<kind>[a-z]+)(?:/(?P<id>[^/:]+))?(?::(?P<verb>[a-z]+))?")
_VERSIONS: Final = re.compile(rf"{_ROOT}/pipelines/(?P<id>[^/]+)/versions(?:/(?P<version>[^/]+))?")
_KEYS: Final = {
    "pipelines": "pipeline_id",
    "versions": "pipeline_version_id",
    "experiments": "experiment_id",
    "runs": "run_id",
    "recurringruns": "recurring_run_id",
}
_BODIES: Final = {
    "pipelines": kfp_server_api.V2beta1Pipeline,
    "experiments": kfp_server_api.V2beta1Experiment,
    "runs": kfp_server_api.V2beta1Run,
    "recurringruns": kfp_server_api.V2beta1RecurringRun,
}
_LISTS: Final = {"versions": "pipeline_versions", "recurringruns": "recurringRuns"}
_ENDED: Final = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_CODES: Final = {400: 3, 404: 5, 409: 6, 500: 13}
_PLAIN: Final = {"Content-Type": "text/plain"}


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PipelinesServer(LoopbackServer):
    """A pipelines server that takes `tokens`, and knows who of `forbidden` is but lets none in.

    `frames` are what a run looks like: each look at it takes the next one. `sent` are the bodies
    that came, with method and path.
    """

    def __init__(
        self,
        tls: tuple[Path, Path],
        tokens: Collection[str],
        *,
        forbidden: Collection[str] = (),
        largest_page: int = 200,
    ) -> None:
        super().__init__(tls=tls)
        self.tokens, self.forbidden = set(tokens), set(forbidden)
        self.store = Store(largest_page)
        self.frames: list[Row] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.before_write: list[Callable[[], object]] = []
        """Done before the next requests that are to change something, one each."""
        self.before_look: Callable[[], object] = lambda: None
        """Done before each request that looks at one run."""
        self._lost: dict[str, int] = {}
        self._away: list[int] = []

    @property
    def writes(self) -> list[str]:
        """The requests that were to change something, as `METHOD /path`."""
        return [
            f"{seen.method} {seen.target.partition('?')[0].removeprefix(_ROOT)}"
            for seen in self.requests
            if seen.method != "GET"
        ]

    def fail_after(self, ending: str, status: int) -> None:
        """Do what the next request to such a path wants to change, and answer `status`."""
        self._lost[ending] = status

    def fail_looks(self, status: int, *, times: int) -> None:
        """Answer the next looks at one run with `status`."""
        self._away += [status] * times

    def answer(self, request: Request) -> Response:
        if request.method == "GET" and request.path.startswith(f"{_ROOT}/runs/"):
            self.before_look()
            if self._away:
                return Response(self._away.pop(0), _PLAIN, Bytes(b"away"))
        response = self._answer(request)
        for ending in [one for one in self._lost if request.path.endswith(one)]:
            if request.method != "GET":
                return Response(self._lost.pop(ending), _PLAIN, Bytes(b"lost"))
        return response

    def _answer(self, request: Request) -> Response:
        if request.token in self.forbidden:
            return Response(403, _PLAIN, Bytes(b"Forbidden (verb=get, resource=routes)\n"))
        if request.token not in self.tokens:
            return Response(401, _PLAIN, Bytes(b"Unauthorized\n"))
        if request.method != "GET" and self.before_write:
            self.before_write.pop(0)()
        uploads = request.path.startswith(f"{_ROOT}/pipelines/upload")
        try:
            return Response.json(self._upload(request) if uploads else self._route(request))
        except Invalid as error:
            # The upload answers what it cannot read with a status of its own.
            return _failed(500 if uploads else 400, str(error), uploads)
        except Refused as error:
            return _failed(error.status, str(error), uploads)

    def _route(self, request: Request) -> Any:
        if request.path == f"{_ROOT}/healthz":
            return {"multi_user": False}
        if versions := _VERSIONS.fullmatch(request.path):
            self._one("pipelines", versions["id"])
            if versions["version"]:
                return self._one("versions", versions["version"])
            return self._list("versions", request, pipeline_id=versions["id"])
        match = _PATH.fullmatch(request.path)
        if match is None or match["kind"] not in _BODIES:
            raise Refused(404, "Not Found")
        kind, key, verb = match["kind"], match["id"], match["verb"]
        if verb:
            return self._do(kind, key, verb)
        if key:
            return self._at(kind, key, request)
        return self._list(kind, request) if request.method == "GET" else self._create(kind, request)

    def _at(self, kind: str, key: str, request: Request) -> Any:
        row = self._one(kind, key)
        if request.method == "DELETE":
            self.store.remove(kind, row)
            return {}
        if kind == "runs" and self.frames:
            row.update(self.frames.pop(0))
        return row

    def _do(self, kind: str, key: str, verb: str) -> Any:
        row = self._one(kind, key)
        if (kind, verb) == ("runs", "terminate"):
            if row["state"] in _ENDED:
                raise Refused(400, f"Failed to terminate run {key}. Row not found")
            row["state"] = "CANCELING"
        elif kind == "recurringruns" and verb in ("enable", "disable"):
            row.update(_mode(verb == "enable"))
        else:
            raise Refused(404, "Not Found")
        return {}

    def _list(self, kind: str, request: Request, **fields: str) -> Any:
        if "experiment_id" in request.query:
            fields["experiment_id"] = request.query["experiment_id"]
        rows, more = self.store.page(self.store.all(kind, **fields), request.query)
        found = {_LISTS.get(kind, kind): rows, "total_size": len(rows), "next_page_token": more}
        return {name: value for name, value in found.items() if value}  # as proto3's JSON is

    def _create(self, kind: str, request: Request) -> Any:
        body = json.loads(request.body)
        self.sent.append((request.method, request.path, body))
        if unknown := set(body) - set(_BODIES[kind].attribute_map.values()):
            raise Refused(400, f"proto: unknown field {sorted(unknown)[0]!r}")
        name = body.get("display_name") or body.get("name")
        if not name:
            raise Invalid(f"InvalidInputError: {kind}'s name cannot be empty")
        if kind in ("pipelines", "experiments") and self.store.all(kind, display_name=name):
            raise Refused(409, f"Already exist error: The name {name} already exists")
        if kind in ("runs", "recurringruns"):
            self._check_work(kind, body)
        if kind == "runs":
            body |= {"state": "PENDING", "storage_state": "AVAILABLE"}
        if kind == "experiments":
            body["storage_state"] = "AVAILABLE"
        if kind == "recurringruns":
            body |= _mode(body.get("mode") == "ENABLE")
            body["max_concurrency"] = str(body["max_concurrency"])
        return self.store.add(kind, _KEYS[kind], {**body, "display_name": name})

    def _check_work(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "recurringruns":
            check_schedule(body)
        self._one("experiments", body["experiment_id"])
        spec = body.get("pipeline_spec") or {}
        if reference := body.get("pipeline_version_reference"):
            version = self._one("versions", reference["pipeline_version_id"])
            if version["pipeline_id"] != reference["pipeline_id"]:
                raise Invalid("InvalidInputError: the version belongs to another pipeline")
            spec = version["pipeline_spec"]
        given = (body.get("runtime_config") or {}).get("parameters") or {}
        check_parameters(spec if "pipeline_spec" in spec else {"pipeline_spec": spec}, given)

    def _upload(self, request: Request) -> Row:
        name, content = _file(request)
        self.sent.append((request.method, request.path, content))
        spec, query = parsed(content), request.query
        named = query.get("name") or name.removesuffix(".yaml")
        if request.path.endswith("/upload_version"):
            pipeline = self._one("pipelines", query["pipelineid"])
            return self._add_version(pipeline["pipeline_id"], named, spec)
        if self.store.all("pipelines", display_name=named):
            raise Refused(409, f"Failed to create a pipeline: the name {named} already exist")
        row = {"display_name": named, "description": query.get("description", "")}
        pipeline = self.store.add("pipelines", "pipeline_id", row)
        self._add_version(pipeline["pipeline_id"], named, spec)
        return pipeline

    def _add_version(self, pipeline_id: str, name: str, spec: Any) -> Row:
        if self.store.all("versions", pipeline_id=pipeline_id, display_name=name):
            raise Refused(409, f"Failed to create a pipeline version: {name} already exist")
        row = {"pipeline_id": pipeline_id, "display_name": name, "pipeline_spec": spec}
        return self.store.add("versions", "pipeline_version_id", row)

    def _one(self, kind: str, key: str) -> Row:
        for row in self.store.all(kind):
            if row[_KEYS[kind]] == key:
                return row
        raise Refused(404, f"ResourceNotFoundError: {kind} {key} not found")


def _mode(enabled: bool) -> Row:
    return {
        "mode": "ENABLE" if enabled else "DISABLE",
        "status": "ENABLED" if enabled else "DISABLED",
    }


def _file(request: Request) -> tuple[str, bytes]:
    """Return the name and the content of the file in a form."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    part = next(one for one in form.iter_parts() if one.get_filename())
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return str(part.get_filename()), content


def _failed(status: int, message: str, upload: bool) -> Response:
    if upload:
        return Response.json({"error_message": message, "error_details": message}, status)
    told = {"error": message, "code": _CODES.get(status, 2), "message": message, "details": []}
    return Response.json(told, status)
