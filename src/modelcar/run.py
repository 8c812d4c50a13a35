"""All stages of one model in this process: `modelcar run`."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelcar import atomic, outcome, plan, report, skopeo
from modelcar.deployment import deploy_or_render
from modelcar.errors import ModelCarError
from modelcar.hub import Hub
from modelcar.model_registry import Connection, image_uri
from modelcar.names import image_tag
from modelcar.oci.reference import DigestReference, Layout, TagReference, parse_image, parse_tag
from modelcar.oci.store import open_store
from modelcar.packing import DEFAULT, Packing
from modelcar.prepare import prepare
from modelcar.progress import Progress
from modelcar.push import push
from modelcar.records import RunRecorder, read, summary
from modelcar.register import properties, register
from modelcar.site import Site
from modelcar.supply import Supply
from modelcar.values import (
    BuiltImage,
    ImageDigest,
    ImageFacts,
    Model,
    ModelVersion,
    Plan,
    RunRecord,
    to_json,
)
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where one run works and what it talks to."""

    site: Site
    out: Path
    work: WorkFolder
    hub: Hub
    progress: Progress
    model_registry: Connection | None = None
    packing: Packing = DEFAULT


def run(model: Model, setting: Setting) -> RunRecord:
    """Run every stage, record each, and write `report.md` and `report.html` below `out`.

    A stage whose target the site does not name is rendered into `out`, or skipped when there is
    nothing to render. On an error the report is written too, and the error raised again.
    """
    run_id = f"{model.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    recorder = RunRecorder(setting.out, run_id)
    try:
        _Run(model, setting, recorder).stages()
    except BaseException:
        _report_failure(model, setting.out, run_id)
        raise
    return _report(model, setting.out, run_id)


class _Run:
    def __init__(self, model: Model, setting: Setting, recorder: RunRecorder) -> None:
        self._model, self._setting, self._recorder = model, setting, recorder
        self._site = setting.site

    def stages(self) -> None:
        made = self._plan()
        built = self._build(made)
        image = parse_image(str(built.image))
        mirrored = self._mirror(image, made)
        facts = ImageFacts(made.commit, len(built.layers), sum(x.size for x in built.layers))
        in_folder = isinstance(image.location, Layout)
        served = parse_image(str(mirrored)) if in_folder and mirrored else image
        version = self._register(served, facts, mirrored)
        self._deploy(served, version, facts.size)

    def _target(self, commit: str | None) -> TagReference:
        place = self._site.oci_registry
        name = f"{place}/{self._model.name}" if place else f"oci:{self._setting.out / 'image'}"
        return parse_tag(f"{name}:{image_tag(self._model.version, commit)}")

    def _plan(self) -> Plan:
        with self._recorder.stage("plan") as stage:
            store = open_store(self._target(None).location)
            setting = self._setting
            made = prepare(self._model, setting.work, setting.hub, store, setting.packing)
            stage.done(made, outcome.plan(made))
        plan.warn(made)
        return made

    def _build(self, made: Plan) -> BuiltImage:
        setting = self._setting
        with self._recorder.stage("download") as stage:
            stage.skip("the files go straight into the image")
        keep = bool(setting.packing.keep)
        supply = Supply(made.source.at(made.commit), setting.work, setting.hub, keep)
        with self._recorder.stage("build") as stage:
            target = self._target(made.commit)
            built = push(made, target, setting.work, supply, setting.packing, setting.progress)
            stage.done(built, outcome.build(built))
        return built

    def _mirror(self, image: DigestReference, made: Plan) -> ImageDigest | None:
        with self._recorder.stage("mirror") as stage:
            if not self._site.mirror:
                stage.skip("the site file names no mirror")
                return None
            tag = image_tag(self._model.version, made.commit)
            destination = parse_tag(f"{self._site.mirror}/{self._model.name}:{tag}")
            mirrored = skopeo.mirror(image, destination)
            stage.done(mirrored, f"{mirrored}")
        return mirrored

    def _register(
        self, image: DigestReference, facts: ImageFacts, mirrored: ImageDigest | None
    ) -> ModelVersion | None:
        with self._recorder.stage("register") as stage:
            connection, mirror = self._setting.model_registry, str(mirrored or "")
            if connection is None:
                path = self._write_registration(image, properties(facts, mirror))
                why = "the site file names no model registry"
                stage.render(f"{path}: {why}", {"path": str(path)})
                return None
            version = register(connection, self._model, image.image, facts, mirror=mirror)
            stage.done(version, outcome.register(version))
        return version

    def _write_registration(self, image: DigestReference, found: Mapping[str, str]) -> Path:
        path = self._setting.out / "registration.json"
        model, version = self._model.name, self._model.version
        uri = image_uri(image.image)
        value = {"model": model, "version": version, "uri": uri, "properties": found}
        atomic.write(path, json.dumps(value, indent=2) + "\n")
        return path

    def _deploy(
        self, image: DigestReference, version: ModelVersion | None, image_bytes: int
    ) -> None:
        with self._recorder.stage("deploy") as stage:
            if isinstance(image.location, Layout):
                stage.skip("the image stands in a folder, which no cluster can pull from")
                return
            ids = (version.registered_model_id, version.version_id) if version else ("", "")
            namespace, out = self._site.namespace, self._setting.out
            folder = None if namespace else out
            where = (namespace, ids, folder, image_bytes)
            deploy_or_render(stage, self._model, image.image, *where)


def _report(model: Model, out: Path, run_id: str) -> RunRecord:
    record = summary(model.name, model.version, read(out, run_id))
    texts = {
        "report.md": report.markdown(record),
        "report.html": report.html(record),
        "run.json": json.dumps(to_json(record), indent=2) + "\n",
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            atomic.write(out / name, text)
    except OSError as error:
        why, remedy = error.strerror or str(error), "check its rights and its free space"
        raise ModelCarError(f"report in {out}", why, remedy) from error
    return record


def _report_failure(model: Model, out: Path, run_id: str) -> None:
    try:
        _report(model, out, run_id)
        log.info("report: %s", out / "report.html")
    except ModelCarError as second:
        log.error("%s", second)  # the run's own error matters more, and is raised
