"""Register an image in the Model Registry: find or create model, version and artifact."""

from modelcar.model_registry.connection import Connection, configured
from modelcar.model_registry.converge import Lineage, image_uri, register
from modelcar.model_registry.record import Record

__all__ = ["Connection", "Lineage", "Record", "configured", "image_uri", "register"]
