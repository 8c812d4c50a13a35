"""What a report says of the image: where its digest stands, what moved, and its layers."""

from collections.abc import Iterator, Sequence

from modelcar.page_commands import of_image
from modelcar.page_parts import NAME, Bar, Section, Table, listed, undigested
from modelcar.page_results import Results, named
from modelcar.values import ImageLayer, PlannedLayer, RunRecord, StageRecord
from modelcar.wording import line, rate, size


def image(run: RunRecord, found: Results) -> Section:
    """Return the one digest, and where it stands."""
    heads = ("Step", "name"), ("Where", "place"), ("State", "state")
    rows = tuple(_places(run, found))
    commands, copied = tuple(of_image(run, found)), line(run.digest)
    return Section("The image", copied=copied, table=Table(heads, rows), commands=commands)


def _places(run: RunRecord, found: Results) -> Iterator[tuple[str, str, str]]:
    built, version = found.built, found.version
    registered = f"{version.model} {version.version}, {version.uri}" if version else run.registered
    pushed = "pushed" if built and built.changed else "was there already"
    answers = "answers" if found.endpoint and found.endpoint.first_token else "ready"
    yield _place(run, "Built", "build", built.reference if built else "", pushed)
    yield _place(run, "Mirrored", "mirror", run.mirror, _same(run.mirror, run))
    yield _place(run, "Registered", "register", registered, _same(run.registered, run))
    yield _place(run, "Deployed", "deploy", run.endpoint, answers)


def _place(run: RunRecord, step: str, stage: str, name: str, state: str) -> tuple[str, str, str]:
    if name:
        return step, line(undigested(name, run.digest)), state
    record = named(run.stages, stage)
    if record is None:
        return step, "", "not known" if run.status == "running" else "not reached"
    path = record.result.get("path")
    return step, line(path) if isinstance(path, str) else "", record.status


def _same(reference: str, run: RunRecord) -> str:
    if not run.digest:
        return "done"
    return "this digest" if reference.endswith(f"@{run.digest}") else "ANOTHER DIGEST"


def moved(run: RunRecord, found: Results) -> Section:
    """Return the bytes that moved, or would, against those that stood there already."""
    rows = tuple(_rows(run, found))
    whole = sum(count for kind, count, _ in rows if "ownload" not in kind)

    def row(told: tuple[str, int, float]) -> tuple[str, str, str, Bar]:
        kind, count, took = told
        part = min(round(100 * count / whole), 100) if whole else 0
        bar = Bar("succeeded" if "euse" in kind else "running", 0, part, f"{part} %")
        return kind, size(count), rate(count, took) if count else "", bar

    heads = ("Bytes", "name"), ("Size", "number"), ("Rate", "number"), ("Of the image", "bar")
    return listed("Bytes", heads, rows, row)


def _rows(run: RunRecord, found: Results) -> Iterator[tuple[str, int, float]]:
    """Yield what moved, in how long; what did not come to it as it was planned."""
    # The pipeline's plan asks no target what it holds.
    made = found.plan.bytes if found.plan and not run.pipeline_run else None
    built = found.built
    fetched, took = _fetched(run.stages, found)
    if fetched >= 0:
        yield "Downloaded", fetched, took
    elif made:
        yield "To download", made.downloaded, 0.0
    if built:
        yield "Uploaded", built.bytes.uploaded, built.seconds
        yield "Reused", built.bytes.reused, 0.0
    elif made:
        yield "To upload", made.uploaded, 0.0
        yield "To reuse", made.reused, 0.0


def _fetched(stages: Sequence[StageRecord], found: Results) -> tuple[int, float]:
    """Return what came from the source and in how long: by `download`, or on its way by `build`."""
    snapshot, built = found.snapshot, found.built
    if snapshot and snapshot.downloaded:
        return snapshot.downloaded, sum(s.seconds for s in stages if s.name == "download")
    if built:
        return built.bytes.downloaded, built.seconds
    return (0, 0.0) if snapshot else (-1, 0.0)


def layers(found: Results) -> Section:
    """Return the layers, of the image or of the plan."""
    items: Sequence[ImageLayer | PlannedLayer] = found.plan.layers if found.plan else ()
    items = found.built.layers if found.built else items
    heads = ("Content", "wide"), ("Size", "number"), ("Digest", "code")
    untold = found.built and found.built.facts.layers and not items
    says = "The pods do not tell them; `skopeo inspect` lists them." if untold else ""
    return listed("Layers", heads, items, _layer, says)


def _layer(layer: ImageLayer | PlannedLayer) -> tuple[str, str, str]:
    if isinstance(layer, ImageLayer):
        paths: Sequence[str] = layer.paths
        digest = layer.digest.short
    else:
        paths = [file.path for file in layer.files]
        digest = layer.known.digest.short if layer.known else ""
    few = [line(path, NAME) for path in paths[:3]]
    more = [f"and {len(paths) - 3} more"] if len(paths) > 3 else []
    return ", ".join(few + more) or "base image", size(layer.size), digest


def left_out(found: Results) -> Section:
    """Return the files that were left out, and why."""
    heads = ("File", "wide"), ("Size", "number"), ("Reason", "wide")
    items = found.plan.left_out if found.plan else ()
    return listed(
        "Files left out",
        heads,
        items,
        lambda file: (line(file.path, NAME), size(file.size), line(file.reason, NAME)),
    )
