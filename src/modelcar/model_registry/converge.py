"""Find or create model, version and artifact, and write what differs."""

import logging
import re
from collections.abc import Awaitable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from modelcar.errors import DriftError, ModelRegistryError
from modelcar.model_registry import record as recorded
from modelcar.model_registry.artifacts import artifact_of
from modelcar.model_registry.asking import ask
from modelcar.model_registry.connection import Connection
from modelcar.model_registry.record import Record
from modelcar.values import ImageDigest, Model, ModelVersion
from modelcar.wording import line

_log = logging.getLogger(__name__)

_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")
_FORMAT = "vLLM"  # what the dashboard matches with a serving runtime's formats


@dataclass(frozen=True, slots=True)
class Lineage:
    """The pipeline run that made a model: its project, id and name.

    The dashboard links an artifact to its run by these.
    """

    group: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one call is to find or to bring about."""

    model: Model
    uri: str
    record: Record
    run: Lineage | None
    move: bool

    @property
    def title(self) -> str:
        return f"{self.model.name} {self.model.version}"


@dataclass(frozen=True, slots=True)
class _Found:
    """What the server holds: entities of the generated client, the artifact's JSON, or None."""

    model: Any = None
    version: Any = None
    artifact: dict[str, Any] | None = None

    @property
    def uri(self) -> str:
        return str((self.artifact or {}).get("uri") or "")


def register(
    connection: Connection,
    model: Model,
    image: ImageDigest,
    record: Record,
    *,
    run: Lineage | None = None,
    move_version: bool = False,
) -> ModelVersion:
    """Bring the Model Registry to say that this version of `model` is `image`.

    Only what differs is written; properties that others set stay, but for one that is set in the
    milliseconds between our last look and our write: the server knows no condition for a change.
    Labels are set on what is made, and a text that describes is not replaced, so that people may
    reword both; the catalog's description is, since it was given. The lineage is that of the run
    that made the image, so it is written with the URI and stays. Raises DriftError when the version
    points at another digest, unless `move_version` is set: then the old URI is kept as the property
    `previous_uri`. Raises UsageError for names that are too long, and ModelRegistryError.
    """
    wanted = _Wanted(model, image_uri(image), record, run, move_version)
    recorded.check_names((model.name, model.version))
    what = f"registering {wanted.title} in the Model Registry at {connection.url}"
    return ask(connection, what, lambda api: _attempt(api, wanted))


def image_uri(image: ImageDigest) -> str:
    """Return the URI that KServe mounts, or the image's own name when it is an OCI layout."""
    return str(image) if image.name.startswith("oci:") else f"oci://{image}"


async def _attempt(api: Any, wanted: _Wanted) -> ModelVersion:
    """Look everything up and refuse what must be refused, and only then write.

    What is told of the image comes after its URI: whoever sets that, of two runs or of one that
    dies and its next, also tells what belongs to it.
    """
    found = await _look_up(api, wanted)
    _refuse_archived(found, wanted)
    moved = _is_move(found, wanted)
    model, model_new = await _write_model(api, wanted, found)
    version, version_new = await _write_version(api, wanted, found, model.id, moved)
    artifact_id, artifact_new = await _write_artifact(api, wanted, found, version.id, moved)
    told = await _tell(api, wanted, version, moved) if found.version else False
    changed = model_new or version_new or artifact_new or told
    _log.info("%s %s", wanted.title, "is registered" if changed else "was registered already")
    ids = (model.id, version.id, artifact_id)
    return ModelVersion(wanted.model.name, wanted.model.version, wanted.uri, *ids, changed)


async def _look_up(api: Any, wanted: _Wanted) -> _Found:
    model = await _or_none(api.find_registered_model(wanted.model.name))
    if model is None:
        return _Found()
    name = wanted.model.version
    version = await _or_none(api.find_model_version(name, parent_resource_id=model.id))
    if version is None:
        return _Found(model)
    return _Found(model, version, await artifact_of(api, wanted.model.name, version.id))


async def _or_none(answer: Awaitable[Any]) -> Any:
    from mr_openapi.exceptions import NotFoundException

    try:
        return await answer
    except NotFoundException:
        return None


def _refuse_archived(found: _Found, wanted: _Wanted) -> None:
    for kind, entity in (("model", found.model), ("version", found.version)):
        if entity is not None and entity.state == "ARCHIVED":
            names = wanted.model.name if kind == "model" else wanted.title
            remedy = f"restore it with `modelcar restore {names}`, or register under another name"
            raise ModelRegistryError(
                f"registering {wanted.title}", f"the {kind} is archived", remedy
            )


def _is_move(found: _Found, wanted: _Wanted) -> bool:
    """Return whether the version is to be moved to another digest; refuse what was not asked for.

    The same digest under another name is no drift: a mirror may stand elsewhere tomorrow.
    """
    uri = found.uri
    if not uri or digest(uri) == digest(wanted.uri):
        return False
    if not wanted.move:
        kept = _texts(found.version.custom_properties)
        differs = recorded.difference(kept, wanted.record.texts())
        there, here = line(digest(uri), 100), digest(wanted.uri)
        why = f"it points at {there}, and this image is {here} ({differs})"
        remedy = (
            "register under another version, move this one with --move-version (move_version in a"
            " pipeline), or let the version follow a branch with --follow"
        )
        raise DriftError(f"{wanted.title} in the Model Registry", why, remedy)
    return True


def digest(uri: str) -> str:
    """Return the digest that a URI ends in, or the URI where it has none."""
    match = _DIGEST.search(uri)
    return match[1] if match else uri


async def _write_model(api: Any, wanted: _Wanted, found: _Found) -> tuple[Any, bool]:
    from mr_openapi import RegisteredModelCreate, RegisteredModelUpdate

    given, card = map(recorded.cut, (wanted.record.description, wanted.record.card))
    if found.model is None:
        fresh = RegisteredModelCreate(
            name=wanted.model.name,
            description=given or card or None,
            customProperties=_values(wanted.record.marks()),
        )
        return await api.create_registered_model(fresh), True
    text = given or found.model.description or card
    if not text or found.model.description == text:
        return found.model, False
    change = RegisteredModelUpdate(description=text, state=None)
    return await api.update_registered_model(found.model.id, change), True


async def _write_version(
    api: Any, wanted: _Wanted, found: _Found, model_id: str, moved: bool
) -> tuple[Any, bool]:
    from mr_openapi import ModelVersionCreate

    if found.version is None:
        told = {**wanted.record.marks(), **wanted.record.texts()}
        fresh = ModelVersionCreate(
            name=wanted.model.version,
            registeredModelId=model_id,
            description=recorded.cut(wanted.record.card) or None,
            customProperties=_values(told),
        )
        return await api.create_model_version(fresh), True
    if moved:  # before the artifact: a run that dies between the two does not forget the old URI
        previous = {"previous_uri": found.uri}
        return found.version, await _patch(api, found.version, previous, set())
    return found.version, False


async def _tell(api: Any, wanted: _Wanted, version: Any, moved: bool) -> bool:
    """Write what differs of what is known of the image; return whether anything did."""
    kept = _texts(version.custom_properties)
    stale = recorded.stale(kept, moved, wanted.uri)
    still = {name: text for name, text in kept.items() if name not in stale}
    new, card = recorded.missing(still, wanted.record.texts()), recorded.cut(wanted.record.card)
    description = "" if version.description else card
    if not (new or description or stale):
        return False
    return await _patch(api, version, new, stale - new.keys(), description)


async def _patch(
    api: Any, version: Any, new: Mapping[str, str], gone: Set[str], description: str = ""
) -> bool:
    """Change properties of a version, the others as they are now: the server replaces the map."""
    from mr_openapi import ModelVersionUpdate

    now = (await api.get_model_version(version.id)).custom_properties or {}
    kept = {name: value for name, value in now.items() if name not in gone}
    properties = {**kept, **_values(new)}
    if properties == now and not description:
        return False
    change = ModelVersionUpdate(
        state=None, customProperties=properties, description=description or None
    )
    await api.update_model_version(version.id, change)
    return True


def _values(texts: Mapping[str, str]) -> dict[str, Any]:
    from mr_openapi import MetadataStringValue, MetadataValue

    kind = "MetadataStringValue"
    return {
        name: MetadataValue(MetadataStringValue(string_value=text, metadataType=kind))
        for name, text in texts.items()
    }


def _texts(properties: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Return the properties that are texts; None for those of another type."""
    values = {name: item.actual_instance for name, item in (properties or {}).items()}
    return {name: getattr(value, "string_value", None) for name, value in values.items()}


async def _write_artifact(
    api: Any, wanted: _Wanted, found: _Found, version_id: str, moved: bool
) -> tuple[str, bool]:
    from mr_openapi import Artifact, ModelArtifact, ModelArtifactUpdate

    fields = _artifact_fields(wanted, found.artifact, moved)
    if found.artifact is None:
        fresh = ModelArtifact(name=wanted.model.name, state="LIVE", **fields)
        answer = await api.upsert_model_version_artifact(version_id, Artifact(fresh))
        return str(answer.actual_instance.id), True
    if fields:
        change = ModelArtifactUpdate(state=None, **fields)
        await api.update_model_artifact(found.artifact["id"], change)
    return str(found.artifact["id"]), bool(fields)


def _artifact_fields(
    wanted: _Wanted, found: Mapping[str, Any] | None, moved: bool
) -> dict[str, str]:
    """Return the artifact's fields that differ from what the server holds."""
    fields = {"uri": wanted.uri}
    if found is None or moved:
        run = wanted.run or Lineage("", "", "")
        fields |= {
            "modelFormatName": _FORMAT,
            "modelSourceKind": "kfp" if wanted.run else "",
            "modelSourceClass": "pipelinerun" if wanted.run else "",
            "modelSourceGroup": run.group,
            "modelSourceId": run.id,
            "modelSourceName": run.name,
        }
    there = found or {}
    return {name: text for name, text in fields.items() if there.get(name, "") != text}
