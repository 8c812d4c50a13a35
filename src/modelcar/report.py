"""One page a run, as Markdown and as HTML that needs nothing but itself."""

import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from modelcar import page, wording
from modelcar.values import RunRecord

if TYPE_CHECKING:
    from jinja2 import Environment


def markdown(run: RunRecord) -> str:
    """Return the report of a run as Markdown, with tables as GitHub and KFP read them."""
    from jinja2 import Environment

    # `finalize` is Markdown's autoescape: it sees every value that the template prints.
    text = _render(Environment(finalize=_plain), "report.md.j2", run)  # noqa: S701
    return re.sub(r"\n(?:[ ]*\n)+", "\n\n", text)


def html(run: RunRecord) -> str:
    """Return the report of a run as one HTML file: no script, nothing loaded, under 200 kB."""
    from jinja2 import Environment

    return _render(Environment(autoescape=True), "report.html.j2", run)


def _plain(value: Any) -> Any:
    """Return a value escaped, but for what the template itself calls safe."""
    return value if hasattr(value, "__html__") else wording.markdown(str(value))


def _render(environment: "Environment", name: str, run: RunRecord) -> str:
    from jinja2 import StrictUndefined

    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.keep_trailing_newline = True
    text = resources.files("modelcar").joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(text).render(page=page.lay_out(run))
