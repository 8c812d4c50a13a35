"""The JSON of each verb, as scripts read it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from modelcar.values import BuiltImage, Plan, RunRecord, SourceFile, to_json

if TYPE_CHECKING:
    from modelcar.model_registry.versions import Registered


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as scripts read it: `layer` is the digest already in the target, or null."""
    held = {
        f.path: str(item.known.digest)
        for item in plan.layers
        if item.known and item.reused
        for f in item.files
    }
    return {
        "model": plan.model,
        "version": plan.version,
        "source": plan.source.uri,
        "commit": plan.commit,
        "files": [
            _file(file, str(held[file.path]) if file.path in held else None) for file in plan.files
        ],
        "left_out": to_json(plan.left_out),
        "layers": [
            {
                "digest": str(item.known.digest) if item.known else None,
                "size": item.size,
                "paths": [file.path for file in item.files],
                "reused": item.reused,
            }
            for item in plan.layers
        ],
        "bytes": _bytes(plan.bytes.downloaded, plan.bytes.uploaded, plan.bytes.reused),
        "warnings": list(plan.warnings),
    }


def build_json(built: BuiltImage) -> dict[str, Any]:
    """Return a built image as scripts read it."""
    return {
        "reference": str(built.image),
        "digest": str(built.image.digest),
        "tag": built.reference,
        "layers": to_json(built.layers),
        "bytes": to_json(built.bytes),
        "seconds": built.seconds,
        "changed": built.changed,
    }


def run_json(record: RunRecord) -> dict[str, Any]:
    """Return a run as scripts read it."""
    told = to_json(record)
    assert isinstance(told, dict)  # noqa: S101  a dataclass becomes an object
    return told


def versions_json(model: str, found: "Sequence[Registered]") -> dict[str, Any]:
    """Return a model's versions as scripts read them, each with its image's digest."""
    rows = [{**asdict(item), "digest": item.digest} for item in found]
    return {"model": model, "versions": rows}


def _file(file: SourceFile, layer: str | None) -> dict[str, Any]:
    sha256 = str(file.sha256) if file.sha256 else None
    return {"path": file.path, "size": file.size, "sha256": sha256, "layer": layer}


def _bytes(download: int, upload: int, reused: int) -> dict[str, int]:
    return {"download": download, "upload": upload, "reused": reused}
