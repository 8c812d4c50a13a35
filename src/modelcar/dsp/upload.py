"""Upload a compiled pipeline, where the server has not this very file already."""

import json
import logging
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from modelcar.dsp.compiled_file import CompiledFile
from modelcar.dsp.server import PipelinesServer, library
from modelcar.errors import PipelinesError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A pipeline version at the server; `changed` when this call made it."""

    pipeline_id: str
    version_id: str
    pipeline: str
    version: str
    changed: bool


def upload(server: PipelinesServer, compiled: CompiledFile) -> Uploaded:
    """Return the version that holds this very file, uploaded where it is not there yet.

    Raises PipelinesError.
    """
    pipeline_id = _pipeline(server, compiled.name) or _create(server, compiled.name)
    version_id = _version(server, pipeline_id, compiled)
    changed = not version_id
    if not version_id:
        version_id = _upload(server, pipeline_id, compiled)
    return Uploaded(pipeline_id, version_id, compiled.name, compiled.version, changed)


def named(name: str) -> str:
    """Return the filter of the API for what has this name; the server decodes it once more."""
    equal = {"operation": "EQUALS", "key": "display_name", "string_value": name}
    return urllib.parse.quote(json.dumps({"predicates": [equal]}))


def lost(error: PipelinesError) -> bool:
    """Return whether a creation met one that another made meanwhile.

    Older servers say so in words only.
    """
    return error.status == 409 or (error.status >= 400 and "already exist" in error.why.lower())


def _pipeline(server: PipelinesServer, name: str) -> str:
    what, listing = "looking for the pipeline", server.pipelines.pipeline_service_list_pipelines
    found = server.pages(what, listing, "pipelines", filter=named(name))
    return next((str(one.pipeline_id) for one in found if one.display_name == name), "")


def _create(server: PipelinesServer, name: str) -> str:
    create = server.pipelines.pipeline_service_create_pipeline
    body = library().V2beta1Pipeline(display_name=name)
    return _made(
        lambda: server.tell(f"creating the pipeline {name}", create, body).pipeline_id,
        lambda: _pipeline(server, name),
    )


def _version(server: PipelinesServer, pipeline_id: str, compiled: CompiledFile) -> str:
    what = f"looking for version {compiled.version}"
    listing = server.pipelines.pipeline_service_list_pipeline_versions
    # Not by a filter: the index over names has had several forms.
    for one in server.pages(what, listing, "pipeline_versions", pipeline_id):
        if compiled.version in (one.display_name, one.name):
            return str(one.pipeline_version_id)
    return ""


def _upload(server: PipelinesServer, pipeline_id: str, compiled: CompiledFile) -> str:
    log.info("uploading %s as %s of %s", compiled.path, compiled.version, compiled.name)
    options = {"name": compiled.version, "pipelineid": pipeline_id}
    path, what = str(compiled.path), f"uploading {compiled.path}"
    send = server.uploads.upload_pipeline_version
    return _made(
        lambda: server.tell(what, send, path, **options).pipeline_version_id,
        lambda: _version(server, pipeline_id, compiled),
    )


def _made(create: Callable[[], str], look: Callable[[], str]) -> str:
    """Return the id of what `create` makes, or of what another made at the same time."""
    try:
        return str(create())
    except PipelinesError as error:
        # Nor is it known what became of a request without an answer.
        if (lost(error) or error.may_pass) and (found := look()):
            return found
        if error.status in (400, 500) and not lost(error):
            error.remedy = "compare with `modelcar preflight --pipeline FILE` what the server knows"
        raise
