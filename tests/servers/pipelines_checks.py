"""What a pipelines server checks of a compiled file, of parameters and of a trigger."""

from collections.abc import Mapping
from typing import Any, Final

import yaml
from google.protobuf import json_format
from kfp import pipeline_spec

from tests.servers.pipelines_store import Invalid

_KINDS: Final = {
    "STRING": (str, "string"),
    "NUMBER_INTEGER": (int | float, "double or integer"),
    "NUMBER_DOUBLE": (int | float, "double or integer"),
    "BOOLEAN": (bool, "bool"),
    "LIST": (list, "list"),
    "STRUCT": (dict, "struct"),
}


def parsed(content: bytes) -> dict[str, Any]:
    """Return the documents of a compiled file, parsed as strictly as the server does."""
    specs = pipeline_spec.pipeline_spec_pb2
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        spec, *more = yaml.load_all(content, loader)
        json_format.ParseDict(spec, specs.PipelineSpec())
        json_format.ParseDict(spec["deploymentSpec"], specs.PipelineDeploymentConfig())
        for platform in more:
            json_format.ParseDict(platform, specs.PlatformSpec())
    except json_format.ParseError as error:
        raise Invalid(f"InvalidInputError: invalid v2 pipeline spec: {error}") from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError) as error:
        why = f"InvalidInputError: unknown template format: pipeline spec is invalid ({error})"
        raise Invalid(why) from error
    found: dict[str, Any] = {"pipeline_spec": spec}
    return found | ({"platform_spec": more[0]} if more else {})


def check_parameters(spec: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse parameters that the pipeline does not have, or of another type."""
    inputs = spec["pipeline_spec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, one in inputs.items():
        kind, word = _KINDS[one["parameterType"]]
        if name in given and (
            not isinstance(given[name], kind) or (kind is not bool and given[name] is True)
        ):
            raise Invalid(
                f"InvalidInputError: input parameter {name} requires type {word}, "
                f"but the input parameter is not of {word} value type"
            )
        optional = one.get("isOptional") or "defaultValue" in one
        if name not in given and not optional:
            raise Invalid(f"InvalidInputError: parameter {name} is not optional, yet has neither")
    if extra := [name for name in given if name not in inputs]:
        why = "parameter(s) provided are not required by pipeline"
        raise Invalid(f"InvalidInputError: {why}: {', '.join(extra)}")


def check_schedule(body: Mapping[str, Any]) -> None:
    """Refuse a trigger without six fields: five are taken too, and mean something else."""
    cron = (body.get("trigger") or {}).get("cron_schedule", {}).get("cron", "")
    if len(cron.split()) != 6:
        raise Invalid(f"InvalidInputError: Schedule cron is not supported: {cron!r}")
    if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
        raise Invalid("InvalidInputError: The max concurrency must be at least 1 and at most 10")
