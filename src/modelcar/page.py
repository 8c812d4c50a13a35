"""What a report shows: a run's record as short texts and drawn positions, without any markup."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from modelcar.errors import ModelCarError
from modelcar.timeline import Bar, seconds_of, span, timeline
from modelcar.values import (
    BuiltImage,
    Digest,
    ImageLayer,
    ModelVersion,
    Moved,
    Plan,
    PlannedLayer,
    RunRecord,
    Snapshot,
    StageRecord,
    from_json,
)
from modelcar.wording import duration, line, rate, size

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")

ROWS, FAILURES = 30, 3
"""How many rows of a list are shown: with the texts' lengths, this bounds the page to 200 kB."""
STAGE, NAME, DETAIL, ERROR = 40, 80, 200, 1000
"""How many characters of a stage's name, another name, a detail and an error are shown."""

_UNKNOWN = Moved(-1, -1, -1)


@dataclass(frozen=True, slots=True)
class Listed(Generic[R]):
    """The first rows of a list, and how many more there are."""

    rows: tuple[R, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed stage."""

    stage: str
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the image's digest stands, and how it does."""

    step: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage in the table."""

    name: str
    status: str
    seconds: str
    detail: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """One kind of bytes: as planned, as it came, and how fast."""

    kind: str
    planned: str
    moved: str
    rate: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the image."""

    content: str
    size: str
    digest: str


@dataclass(frozen=True, slots=True)
class Omitted:
    """One file that was left out."""

    path: str
    size: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that a report shows."""

    title: str
    status: str
    failures: tuple[Failure, ...]
    facts: tuple[tuple[str, str], ...]
    digest: str
    places: tuple[Place, ...]
    stages: Listed[StageRow]
    bars: tuple[Bar, ...]
    span: str
    moved: tuple[Bytes, ...]
    layers: Listed[Layer]
    left_out: Listed[Omitted]
    warnings: Listed[str]


@dataclass(frozen=True, slots=True)
class _Results:
    plan: Plan | None
    snapshot: Snapshot | None
    built: BuiltImage | None
    version: ModelVersion | None


def lay_out(run: RunRecord) -> Page:
    """Lay out the report of a run."""
    results = _results(run.stages)
    plan, built = results.plan, results.built
    drawn = tuple(timeline(run.stages[:ROWS]))
    layers: Sequence[ImageLayer | PlannedLayer] = plan.layers if plan else ()
    return Page(
        title=line(f"{run.model} {run.version}", NAME),
        status=run.status,
        failures=tuple(_failures(run.stages))[:FAILURES],
        facts=tuple((label, line(text)) for label, text in _facts(run, results) if text),
        digest=line(run.digest),
        places=tuple(_places(run, results)),
        stages=_listed(run.stages, _stage),
        bars=drawn,
        span=duration(span(run.stages)[1]) if drawn else "",
        moved=tuple(_moved(run.stages, results)),
        layers=_listed(built.layers if built else layers, _layer),
        left_out=_listed(
            plan.left_out if plan else (),
            lambda file: Omitted(line(file.path, NAME), size(file.size), line(file.reason, NAME)),
        ),
        warnings=_listed(plan.warnings if plan else (), lambda text: line(text, DETAIL)),
    )


def _results(stages: Sequence[StageRecord]) -> _Results:
    return _Results(
        plan=_result(Plan, stages, "plan"),
        snapshot=_result(Snapshot, stages, "download"),
        built=_result(BuiltImage, stages, "build"),
        version=_result(ModelVersion, stages, "register"),
    )


def _result(kind: type[T], stages: Sequence[StageRecord], name: str) -> T | None:
    stage = _stage_named(stages, name)
    # A rendered stage holds the path of what it wrote, not what the stage returns.
    if stage is None or stage.status in ("failed", "rendered") or not stage.result:
        return None
    try:
        value: T = from_json(kind, stage.result)
    except (TypeError, ValueError, ModelCarError) as error:
        log.warning("the result of %s is not shown: %s", name, error)
        return None
    return value


def _stage_named(stages: Sequence[StageRecord], name: str) -> StageRecord | None:
    return next((stage for stage in stages if stage.name == name), None)


def _failures(stages: Sequence[StageRecord]) -> Iterator[Failure]:
    for stage in stages:
        if stage.status == "failed":
            told = stage.result.get("remedy")
            remedy = told if isinstance(told, str) else ""
            cause = stage.error.removesuffix(f"; {remedy}")
            yield Failure(line(stage.name, STAGE), line(cause, ERROR), line(remedy, ERROR))


def _facts(run: RunRecord, results: _Results) -> Iterator[tuple[str, str]]:
    known = results.plan or results.snapshot
    yield "Model", run.model
    yield "Version", run.version
    if known:
        yield "Source", known.source.uri
        yield "Revision", known.source.revision
        yield "Commit", known.commit or ""
    first, seconds = span(run.stages)
    if first:
        yield "Started", f"{datetime.fromtimestamp(first, UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield "Took", duration(seconds)


def _places(run: RunRecord, results: _Results) -> Iterator[Place]:
    built, version = results.built, results.version
    registered = f"{version.model} {version.version}, {version.uri}" if version else run.registered
    pushed = "pushed" if built and built.changed else "was there already"
    yield _place(run, "Built", "build", built.reference if built else "", pushed)
    yield _place(run, "Mirrored", "mirror", run.mirror, _same(run.mirror, run.digest))
    yield _place(run, "Registered", "register", registered, _same(run.registered, run.digest))
    yield _place(run, "Deployed", "deploy", run.endpoint, "answers")


def _place(run: RunRecord, step: str, stage: str, name: str, state: str) -> Place:
    if name:
        return Place(step, line(name), state)
    record = _stage_named(run.stages, stage)
    if record is None:
        return Place(step, "", "not reached")
    path = record.result.get("path")
    return Place(step, line(path) if isinstance(path, str) else "", record.status)


def _same(reference: str, digest: str) -> str:
    if not digest:
        return "done"
    return "same digest" if reference.endswith(f"@{digest}") else "ANOTHER DIGEST"


def _stage(stage: StageRecord) -> StageRow:
    detail = line(stage.error or stage.detail, DETAIL)
    return StageRow(line(stage.name, STAGE), stage.status, seconds_of(stage), detail)


def _moved(stages: Sequence[StageRecord], results: _Results) -> Iterator[Bytes]:
    plan, snapshot, built = results.plan, results.snapshot, results.built
    if not (plan or snapshot or built):
        return
    fetched, fetching = _fetched(stages, results)
    took = built.seconds if built else 0.0
    ahead, came = plan.bytes if plan else _UNKNOWN, built.bytes if built else _UNKNOWN
    yield _bytes("Downloaded", ahead.downloaded, fetched, fetching)
    yield _bytes("Uploaded", ahead.uploaded, came.uploaded, took)
    yield _bytes("Reused", ahead.reused, came.reused, 0.0)


def _fetched(stages: Sequence[StageRecord], results: _Results) -> tuple[int, float]:
    """Return what came from the source and in how long: by `download`, or on its way by `build`."""
    snapshot, built = results.snapshot, results.built
    if snapshot and snapshot.downloaded:
        return snapshot.downloaded, sum(s.seconds for s in stages if s.name == "download")
    if built:
        return built.bytes.downloaded, built.seconds
    return (0, 0.0) if snapshot else (-1, 0.0)


def _bytes(kind: str, planned: int, moved: int, seconds: float) -> Bytes:
    return Bytes(
        kind=kind,
        planned=size(planned) if planned >= 0 else "",
        moved=size(moved) if moved >= 0 else "",
        rate=rate(moved, seconds) if moved > 0 else "",
    )


def _layer(layer: ImageLayer | PlannedLayer) -> Layer:
    if isinstance(layer, ImageLayer):
        paths: Sequence[str] = layer.paths
        digest: Digest | None = layer.digest
    else:
        paths = [file.path for file in layer.files]
        digest = layer.known.digest if layer.known else None
    few = [line(path, NAME) for path in paths[:3]]
    more = [f"and {len(paths) - 3} more"] if len(paths) > 3 else []
    content = ", ".join(few + more) or "base image"
    return Layer(content, size(layer.size), digest.short if digest else "")


def _listed(items: Sequence[T], shown: Callable[[T], R]) -> Listed[R]:
    return Listed(tuple(shown(item) for item in items[:ROWS]), max(len(items) - ROWS, 0))
