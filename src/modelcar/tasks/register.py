"""The pipeline's two tasks of the Model Registry: before the image is deployed, and after it."""

import json
from dataclasses import dataclass, field

from modelcar import model_registry, outcome, parameters, trust
from modelcar.mirrored import mirrored
from modelcar.model_registry import Connection, Lineage, Record, configured
from modelcar.oci.reference import parse_image
from modelcar.register import following, record, verified
from modelcar.task import MODEL_REGISTRY, root, run_id, task
from modelcar.tasks.asked import Chosen, Named
from modelcar.values import Digest, ImageDigest, ImageFacts, Model, ModelVersion, from_json
from modelcar.workfolder import WorkFolder


@dataclass(frozen=True, slots=True)
class Registered:
    """The ids of model and version, the image's URI, and the keys of the dashboard's link."""

    ids: tuple[str, str] = ("", "")
    uri: str = ""
    link: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked(Named, Chosen):
    """The tasks' parameters, all text; `image_facts` is JSON."""

    commit: str
    model_description: str
    plan_sha256: str
    reference: str
    image_facts: str
    model_registry_url: str
    move_version: str
    follow: str
    run_name: str
    workdir: str
    mirror_destination: str = ""
    mirror_digest: str = ""
    endpoint: str = ""

    def connection(self) -> Connection | None:
        """Return the Model Registry that is named, by parameter or secret; None for none."""
        return configured(self.model_registry_url, folder=MODEL_REGISTRY)

    def registered(self) -> Model:
        """Return the model as it is to be registered."""
        model = self.model(self.commit, None, self.rules(), self.model_description)
        return following(model, self.commit) if parameters.switch("follow", self.follow) else model

    def image(self) -> ImageDigest:
        """Return the image."""
        return parse_image(self.reference).image

    def record(self, mirror: str = "") -> Record:
        """Return what is known of the image, and of the model by the plan in the work folder."""
        plan = WorkFolder(root(self.workdir)).load(Digest.parse(self.plan_sha256))
        facts: ImageFacts = from_json(ImageFacts, json.loads(self.image_facts))
        return record(self.registered(), facts, plan.facts, mirror)


def make(asked: Asked) -> Registered:
    """Register the image, or with an endpoint record that it answered there.

    Empty where nothing is registered. Ends the process with the error's code when it
    fails.
    """
    if asked.endpoint:
        return _verify(asked)
    compared = (asked.reference, asked.mirror_destination, asked.mirror_digest, asked.workdir)
    mirror = mirrored(*compared)
    with task("register", asked.workdir) as stage:
        connection = asked.connection()
        if connection is None:
            stage.skip("no Model Registry is named")
            return Registered()
        version = _converge(connection, asked, asked.record(mirror))
        stage.done(version, outcome.register(version))
    return _registered(version, connection)


def _verify(asked: Asked) -> Registered:
    """Record that the image answered at a URL; anything else is no endpoint."""
    endpoint = asked.endpoint
    with task("verify", asked.workdir) as stage:
        connection = asked.connection()
        if connection is None or "://" not in endpoint:
            what = "deployed" if connection else "registered"
            stage.skip(f"nothing was {what}")
            return Registered()
        told = verified(asked.record(), asked.image(), endpoint)
        version = _converge(connection, asked, told)
        stage.done(version, outcome.verify(version, endpoint))
    return _registered(version, connection)


def _registered(version: ModelVersion, connection: Connection) -> Registered:
    ids = (version.registered_model_id, version.version_id)
    names = {"registeredModelName": version.model, "modelVersionName": version.version}
    link = {**dict(zip(("registeredModelId", "modelVersionId"), ids, strict=True)), **names}
    return Registered(ids, version.uri, {**link, "modelRegistryName": connection.name})


def _converge(connection: Connection, asked: Asked, told: Record) -> ModelVersion:
    return model_registry.register(
        connection,
        asked.registered(),
        asked.image(),
        told,
        run=Lineage(trust.own_namespace(), run_id(), asked.run_name),
        move_version=parameters.switch("move_version", asked.move_version),
    )
