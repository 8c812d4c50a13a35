"""The pipeline's two tasks of the Model Registry: before the image is deployed, and after."""

import json
from dataclasses import dataclass

from modelcar import model_registry, outcome, parameters, trust
from modelcar.model_registry import Connection, Lineage, Record, configured
from modelcar.oci.reference import parse_image
from modelcar.register import following, record, verified
from modelcar.task import MODEL_REGISTRY, root, run_id, task
from modelcar.values import Digest, ImageDigest, ImageFacts, Model, ModelVersion, from_json
from modelcar.workfolder import WorkFolder


@dataclass(frozen=True, slots=True)
class Asked:
    """The tasks' parameters, all text; `image_facts` is JSON."""

    hf_repo: str
    commit: str
    model_name: str
    model_version: str
    description: str
    plan_sha256: str
    reference: str
    image_facts: str
    model_registry_url: str
    move_version: str
    follow: str
    run_name: str
    workdir: str

    def connection(self) -> Connection | None:
        """Return the Model Registry that is named, by parameter or secret; None for none."""
        return configured(self.model_registry_url, folder=MODEL_REGISTRY)

    def model(self) -> Model:
        """Return the model as it is to be registered."""
        named = (self.hf_repo, self.commit, self.model_name, self.model_version, self.description)
        model = parameters.model(*named)
        return following(model, self.commit) if parameters.switch("follow", self.follow) else model

    def image(self) -> ImageDigest:
        """Return the image."""
        return parse_image(self.reference).image

    def record(self, mirror: str = "") -> Record:
        """Return what is known of the image, and of the model by the plan in the work folder."""
        plan = WorkFolder(root(self.workdir)).load(Digest.parse(self.plan_sha256))
        facts: ImageFacts = from_json(ImageFacts, json.loads(self.image_facts))
        return record(self.model(), facts, plan.facts, mirror)


def register(asked: Asked, mirror: str) -> tuple[str, str]:
    """Register the image, and return the ids of model and version, empty without Model Registry.

    Like each task it ends the process with the error's code when it fails.
    """
    with task("register", asked.workdir) as stage:
        connection = asked.connection()
        if connection is None:
            stage.skip("no model registry is named")
            return "", ""
        version = _converge(connection, asked, asked.record(mirror))
        stage.done(version, outcome.register(version))
    return version.registered_model_id, version.version_id


def verify(asked: Asked, endpoint: str) -> tuple[str, str]:
    """Record that the image answered at `endpoint`, a URL; anything else is no endpoint."""
    with task("verify", asked.workdir) as stage:
        connection = asked.connection()
        if connection is None or "://" not in endpoint:
            what = "deployed" if connection else "registered"
            stage.skip(f"nothing was {what}")
            return "", ""
        told = verified(asked.record(), asked.image(), endpoint)
        version = _converge(connection, asked, told)
        stage.done(version, outcome.verify(version, endpoint))
    return version.registered_model_id, version.version_id


def _converge(connection: Connection, asked: Asked, told: Record) -> ModelVersion:
    return model_registry.register(
        connection,
        asked.model(),
        asked.image(),
        told,
        run=Lineage(trust.own_namespace(), run_id(), asked.run_name),
        move_version=parameters.switch("move_version", asked.move_version),
    )
