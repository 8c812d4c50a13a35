"""Register an image in the Model Registry: find or create model, version and artifact.

Spoken is the API v1alpha3, which every supported OpenShift AI serves. Of the package
`model-registry` only its generated client `mr_openapi` is used: importing `model_registry` sets
up logging for the whole process, and its updates send every field, which un-archives what a
person archived and turns properties of types it does not know into text.
"""

from modelcar.model_registry.connection import Connection, configured
from modelcar.model_registry.converge import Lineage, image_uri, register

__all__ = ["Connection", "Lineage", "configured", "image_uri", "register"]
