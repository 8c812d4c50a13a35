"""All stages of one model in this process: `modelcar run`."""

import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

from modelcar import atomic, earlier_images, fitting, model_registry, outcome, plan, report, skopeo
from modelcar.deployment import deploy_or_render
from modelcar.errors import ModelCarError
from modelcar.hub import Hub
from modelcar.model_registry import Connection, Record, image_uri
from modelcar.names import image_tag
from modelcar.oci.reference import DigestReference, Layout, TagReference, parse_image, parse_tag
from modelcar.oci.store import open_store
from modelcar.packing import DEFAULT, Packing
from modelcar.preflight.checks import before_run
from modelcar.preflight.finding import require
from modelcar.prepare import prepare
from modelcar.push import push
from modelcar.register import following, record, verified
from modelcar.run_summary import read, summary
from modelcar.serving.deploy import can_be_asked
from modelcar.site import Site
from modelcar.supply import Supply
from modelcar.values import (
    BuiltImage,
    ImageDigest,
    Model,
    ModelVersion,
    Plan,
    RunRecord,
    to_json,
)
from modelcar.view import Recorder, View
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)
SHOWN = ("plan", "download", "build", "mirror", "register", "deploy")
"""The stages of every run; `verify` follows where an endpoint answers."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where one run works and what it talks to."""

    site: Site
    out: Path
    work: WorkFolder
    hub: Hub
    view: View
    model_registry: Connection | None = None
    packing: Packing = DEFAULT
    move_version: bool = False
    """Move the version in the Model Registry when it points at another digest."""
    follow: bool = False
    """Register `<version>-<commit7>` instead of the version."""
    ignore_fit: bool = False
    """Deploy even what does not fit on the GPUs that are asked for."""
    skip_preflight: bool = False
    """Do not ask beforehand for rights, and for what must be there."""
    asked: str = ""
    """How the command line was told the model."""


def run(model: Model, setting: Setting) -> RunRecord:
    """Run every stage, record each, and write `report.md` and `report.html` below `out`.

    A stage whose target the site does not name is rendered into `out`, or skipped when there is
    nothing to render. On an error the report is written too, and the error raised again.
    """
    run_id = f"{model.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    recorder = Recorder(setting.view, setting.out, run_id)
    try:
        _Run(model, setting, recorder).stages()
    except BaseException:
        _report_failure(model, setting, run_id)
        raise
    return _report(model, setting, run_id)


class _Run:
    def __init__(self, model: Model, setting: Setting, recorder: Recorder) -> None:
        self._model, self._setting, self._recorder = model, setting, recorder
        self._site = setting.site
        self._named = model  # as it is registered

    def stages(self) -> None:
        made = self._plan()
        if self._setting.follow:
            self._named = following(self._model, made.commit)
        built = self._build(made)
        image = parse_image(str(built.image))
        mirrored = self._mirror(image, made, built.facts.size)
        in_folder = isinstance(image.location, Layout)
        served = parse_image(str(mirrored)) if in_folder and mirrored else image
        told = record(self._model, built.facts, made.facts, str(mirrored or ""))
        version = self._register(served.image, told)
        url = self._deploy(served, version, built.facts.size)
        self._verify(served.image, told, url)

    @property
    def _deploys(self) -> bool:
        site = self._site
        return bool(site.namespace and (site.oci_registry or site.mirror))

    def _target(self, commit: str | None) -> TagReference:
        place = self._site.oci_registry
        name = f"{place}/{self._model.name}" if place else f"oci:{self._setting.out / 'image'}"
        return parse_tag(f"{name}:{image_tag(self._model.version, commit)}")

    def _plan(self) -> Plan:
        with self._recorder.stage("plan") as stage:
            store = open_store(self._target(None).location)
            setting = self._setting
            named = earlier_images.named(lambda: setting.model_registry, self._model.name)
            made = prepare(self._model, setting.work, setting.hub, store, setting.packing, named)
            fit = fitting.of_plan(self._model, made, setting.hub)
            stage.done(fitting.recorded(made, fit), outcome.plan(made))
            if self._deploys and not setting.ignore_fit:
                fitting.require(self._model, fit)
            if not setting.skip_preflight:
                self._check(made)
        plan.warn(made)
        return made

    def _check(self, made: Plan) -> None:
        moves = {"moves": bool(made.bytes.uploaded), "deploys": self._deploys}
        connection = self._setting.model_registry
        require(before_run(self._model, self._site, connection, **moves))

    def _build(self, made: Plan) -> BuiltImage:
        setting = self._setting
        with self._recorder.stage("download") as stage:
            stage.skip("the files go straight into the image")
        keep = bool(setting.packing.keep)
        supply = Supply(made.source.at(made.commit), setting.work, setting.hub, keep)
        with self._recorder.stage("build") as stage:
            target = self._target(made.commit)
            setting.view.standing.build(made, str(target.location))
            built = push(made, target, setting.work, supply, setting.packing, setting.view)
            stage.done(built, outcome.build(built))
        return built

    def _mirror(self, image: DigestReference, made: Plan, image_bytes: int) -> ImageDigest | None:
        with self._recorder.stage("mirror") as stage:
            if not self._site.mirror:
                stage.skip("the site file names no mirror")
                return None
            tag = image_tag(self._model.version, made.commit)
            destination = parse_tag(f"{self._site.mirror}/{self._model.name}:{tag}")
            with self._setting.view.aside(f"mirror {image.location}", image_bytes) as moved:
                mirrored = skopeo.mirror(image, destination, moved)
            stage.done(mirrored, f"{mirrored}")
        return mirrored

    def _register(self, image: ImageDigest, told: Record) -> ModelVersion | None:
        with self._recorder.stage("register") as stage:
            if self._setting.model_registry is None:
                path = self._write_registration(image, told)
                why = "no Model Registry is named"
                stage.render(f"{path}: {why}", {"path": str(path)})
                return None
            version = self._converge(image, told)
            stage.done(version, outcome.register(version))
        return version

    def _converge(self, image: ImageDigest, told: Record) -> ModelVersion:
        setting = self._setting
        assert setting.model_registry  # noqa: S101  asked before
        return model_registry.register(
            setting.model_registry, self._named, image, told, move_version=setting.move_version
        )

    def _write_registration(self, image: ImageDigest, told: Record) -> Path:
        path = self._setting.out / "registration.json"
        model, version = self._named.name, self._named.version
        value = {"model": model, "version": version, "uri": image_uri(image)}
        atomic.write(path, json.dumps({**value, "properties": told.texts()}, indent=2) + "\n")
        return path

    def _verify(self, image: ImageDigest, told: Record, url: str) -> None:
        """Record that the endpoint answered, where there are both that and a Model Registry."""
        if url and can_be_asked(url) and self._setting.model_registry is not None:
            with self._recorder.stage("verify") as stage:
                version = self._converge(image, verified(told, image, url))
                stage.done(version, outcome.verify(version, url))

    def _deploy(
        self, image: DigestReference, version: ModelVersion | None, image_bytes: int
    ) -> str:
        """Return the endpoint's URL, nothing where nothing was deployed."""
        with self._recorder.stage("deploy") as stage:
            if isinstance(image.location, Layout):
                stage.skip("the image stands in a folder, which no cluster can pull from")
                return ""
            ids = (version.registered_model_id, version.version_id) if version else ("", "")
            namespace, out = self._site.namespace, self._setting.out
            folder = None if namespace else out
            where = (namespace, ids, folder, image_bytes)
            found = deploy_or_render(stage, self._model, image.image, *where)
        return found if namespace else ""


def _report(model: Model, setting: Setting, run_id: str) -> RunRecord:
    out = setting.out
    record = summary(model.name, model.version, read(out, run_id))
    record = replace(record, asked=setting.asked)
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
        why, remedy = error.strerror or str(error), "free space there, or check its rights"
        raise ModelCarError(f"report in {out}", why, remedy) from error
    return record


def _report_failure(model: Model, setting: Setting, run_id: str) -> None:
    try:
        _report(model, setting, run_id)
        log.info("report: %s", setting.out / "report.html")
    except ModelCarError as second:
        log.error("%s", second)  # the run's own error matters more, and is raised
