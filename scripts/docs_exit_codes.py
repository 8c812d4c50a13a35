"""The page on exit codes and errors, from errors.py."""

from collections.abc import Iterator

from modelcar import errors
from modelcar.errors import ModelCarError, Stopped
from scripts.docs_text import head, prose, table

_OPENING = """Every verb ends with one of these. An error is one line on standard error: what
failed, why, and what to do. The pipeline's tasks end the same way; what became of each stands in
the run's report. Symptoms and remedies: [troubleshooting](../troubleshooting.md).

"""
_ERRORS = """
## Which error has which code

Each is a class of `modelcar.errors`, for those who call the library; one below another is a kind of
it. `except ModelCarError` catches all but `Stopped`.

"""
_AGAIN = "The same command goes on where it stopped"
_ONE = (
    "`preflight` and `bootstrap` end with it where a line says failed or refused, `submit --wait`"
    " where the run failed or was cancelled."
)
_SERVER = """
A `ServerError` also has `status`, the server's HTTP status, 0 where it gave no answer, and
`may_pass`: whether the same request may go well later. What may pass has been tried again already.
"""


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of the page."""
    rows = [
        *_tree(ModelCarError),
        (f"`{Stopped.__name__}`", str(Stopped.exit_code), _told(Stopped)),
    ]
    text = head("Exit codes", "src/modelcar/errors.py") + _OPENING
    text += table(("code", "means"), _codes())
    text += _ERRORS + table(("error", "code", "means"), rows) + _SERVER
    yield "docs/reference/exit-codes.md", text


def _codes() -> Iterator[tuple[str, str]]:
    yield "0", "It went well."
    yield (
        str(ModelCarError.exit_code),
        f"It failed. {_AGAIN}, once what was named is mended. {_ONE}",
    )
    yield str(errors.UsageError.exit_code), "Wrong use, or a file that cannot be used."
    yield "130", f"Interrupted with Ctrl-C. {_AGAIN}."
    stopped = "Told to end by SIGTERM, as when a run is cancelled or a pod evicted."
    yield str(Stopped.exit_code), f"{stopped} {_AGAIN}."


def _tree(error: type[ModelCarError], depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield a class and those below it; one with two parents stands below the first."""
    yield f"{'&nbsp;' * 4 * depth}`{error.__name__}`", str(error.exit_code), _told(error)
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__ and below.__bases__[0] is error:
            yield from _tree(below, depth + 1)


def _told(error: type[BaseException]) -> str:
    if error is ModelCarError:
        return "Every error of the library: what failed, why, and what to do."
    others = [base.__name__ for base in error.__bases__[1:] if base.__module__ == errors.__name__]
    also = f" Also a `{others[0]}`." if others else ""
    return prose(str(error.__doc__).partition("\n\n")[0]) + also
