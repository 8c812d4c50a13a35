"""The pipeline's task that serves the image and waits until it answers."""

from dataclasses import dataclass
from typing import Any

from modelcar import parameters, serving_parameters
from modelcar.deployment import deploy_or_render
from modelcar.oci.reference import parse_image
from modelcar.task import root, task
from modelcar.tasks.asked import Named, Served

_SHOWN = ("seconds", "first_token", "tokens_per_second")


@dataclass(frozen=True, kw_only=True)
class Asked(Named, Served):
    """The task's parameters."""

    commit: str
    reference: str
    image_bytes: str
    registered_model_id: str
    model_version_id: str
    namespace: str
    deploy_model: str
    workdir: str


def make(asked: Asked) -> tuple[str, dict[str, float]]:
    """Return the endpoint's URL, or the manifest's path, and how fast it answers, in seconds.

    Ends the process with the error's code when it fails.
    """
    with task("deploy", asked.workdir) as stage, serving_parameters.spoken():
        model = asked.model(asked.commit, asked.serving())
        ids = (asked.registered_model_id, asked.model_version_id)
        deploys = parameters.switch("deploy_model", asked.deploy_model)
        folder = None if deploys else root(asked.workdir)
        where: Any = (asked.namespace, ids, folder, int(asked.image_bytes))
        found = deploy_or_render(stage, model, parse_image(asked.reference).image, *where)
    figures = {name: stage.result[name] for name in _SHOWN if stage.result.get(name)}
    return found, figures
