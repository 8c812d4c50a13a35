"""The same pipeline with download and build in one task, for small volumes and speed."""

import inspect
from functools import wraps
from typing import Any

from kfp import dsl

from pipelines._graph import graph
from pipelines.modelcar import modelcar

_parameters = modelcar.pipeline_func


@wraps(_parameters)
def _overlapped(*given: Any, **named: Any) -> None:
    bound = inspect.signature(_parameters).bind(*given, **named)
    graph(bound.arguments, overlapped=True)


modelcar_overlapped = dsl.pipeline(_overlapped, name="modelcar-overlapped")
