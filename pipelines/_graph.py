"""The tasks of both pipelines, and what passes from one to the next, by name."""

from typing import Any

from kfp import dsl

from components.build.component import build
from components.deploy.component import deploy
from components.download.component import download
from components.mirror.component import mirror
from components.plan.component import plan
from components.register.component import register
from components.report.component import report
from components.transfer.component import transfer
from components.verify.component import verify
from pipelines._settings import settle

Values = dict[str, Any]


def graph(parameters: Values, *, overlapped: bool) -> None:
    """Draw the tasks; `overlapped` streams the files into the image instead of keeping them."""
    closing = _task(report, parameters)
    with dsl.ExitHandler(closing, name="modelcar-run"):
        keeps = {"keeps_files": str(not overlapped).lower()}
        planned = _task(plan, {**parameters, **keeps})
        known = {**parameters, **_texts(planned)}
        if not overlapped:
            known |= _texts(_task(download, known))
        known |= _texts(_task(transfer if overlapped else build, known))
        known |= {"mirror_digest": _mirror(known).outputs["digest"]}
        known |= {"run_name": dsl.PIPELINE_JOB_NAME_PLACEHOLDER}
        known |= _texts(_task(register, known))
        known |= _texts(_task(deploy, known))
        _task(verify, known)


def _task(component: Any, known: Values) -> Any:
    """Make the task of a component, with those of the `known` values that it takes."""
    inputs = component.component_spec.inputs or {}
    given = {name: known[name] for name in inputs}
    return settle(component(**given), component.name, known["pvc_name"])


def _mirror(known: Values) -> Any:
    tls = {name: known[name] for name in ("source_tls_verify", "destination_tls_verify")}
    ends = {"source": known["mirror_source"], "destination": known["mirror_destination"]}
    return settle(mirror(**ends, **tls), "mirror", known["pvc_name"])


def _texts(task: Any) -> Values:
    """Return a task's outputs but for what is shown to people."""
    shown = ("figures", "summary", "model")
    return {name: value for name, value in task.outputs.items() if name not in shown}
