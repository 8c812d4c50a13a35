"""What a report shows of a run's record, in its order, without any markup."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from modelcar import page_image, page_model
from modelcar.page_failures import failures
from modelcar.page_next import next_run
from modelcar.page_parts import DETAIL, NAME, ROWS, Section, more
from modelcar.page_results import Results, results
from modelcar.timeline import span, timeline
from modelcar.values import RunRecord
from modelcar.wording import duration, line, size


@dataclass(frozen=True, slots=True)
class Page:
    """All that a report shows."""

    title: str
    status: str
    lead: str
    """What came out, in a sentence."""
    when: str
    sections: tuple[Section, ...]


def lay_out(run: RunRecord) -> Page:
    """Lay out the report of a run."""
    found = results(run.stages)
    return Page(
        title=line(f"{run.model} {run.version}", NAME),
        status=run.status,
        lead=_lead(run, found),
        when=_when(run),
        sections=tuple(section for section in _sections(run, found) if section.filled),
    )


def _sections(run: RunRecord, found: Results) -> Iterator[Section]:
    yield from failures(run)
    yield page_model.model(found)
    yield page_image.image(run, found)
    yield timeline(run)
    yield page_image.moved(run, found)
    yield page_model.fit(found)
    yield page_model.smoke(found)
    yield next_run(run, found)
    warnings = found.plan.warnings if found.plan else ()
    shown = tuple(line(text, DETAIL) for text in warnings[:ROWS])
    yield Section("Warnings", items=shown, more=more(warnings))
    yield page_image.layers(found)
    yield page_image.left_out(found)


def _lead(run: RunRecord, found: Results) -> str:
    built, own = found.built, found.endpoint
    if run.status == "running":
        return "It is not at its end, as far as is known."
    if not built:
        return ""
    moved, whole = built.bytes, built.bytes.uploaded + built.bytes.reused
    part = f"{size(moved.reused)} of its {size(whole)} stood at the target already"
    came = f"The image was built; {part}" if built.changed else "The image stood there already"
    if run.status == "failed":
        return f"{came}. Then the run failed."
    return f"{came}. It is served at {line(own.url)}." if own else f"{came}."


def _when(run: RunRecord) -> str:
    first, seconds = span(run.stages)
    began = f"Started {datetime.fromtimestamp(first, UTC):%Y-%m-%d %H:%M:%S} UTC"
    said = f"{began}, took {duration(seconds)}." if first else ""
    return f"{said} Pipeline run {line(run.pipeline_run)}." if run.pipeline_run else said
