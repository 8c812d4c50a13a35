"""Parse compiled files as a server does that refuses unknown fields.

Runs by the path of this file in a Python with some release of kfp-pipeline-spec, prints for each
file what is refused, as JSON, and imports nothing of ours.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as spec


def refused(path: str) -> Iterator[str]:
    """Yield what is wrong with each part; the first document holds one of no type of its own."""
    text = Path(path).read_text(encoding="utf-8")
    pipeline, platform = yaml.load_all(text, Loader=yaml.CSafeLoader)
    for part, message in (
        (pipeline, spec.PipelineSpec()),
        (pipeline["deploymentSpec"], spec.PipelineDeploymentConfig()),
        (platform, spec.PlatformSpec()),
    ):
        try:
            json_format.ParseDict(part, message)
        except json_format.ParseError as error:
            yield str(error)


if __name__ == "__main__":
    sys.stdout.write(json.dumps({path: list(refused(path)) for path in sys.argv[1:]}))
