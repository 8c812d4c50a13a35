"""The commands of a page, run one after another in one session of bash, as a user types them."""

import itertools
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import canary
from tests.docs.pages import Command, alike


@dataclass(frozen=True, slots=True)
class Done:
    """One command that ran, and what it printed."""

    command: Command
    code: int
    stdout: str
    stderr: str

    def fault(self) -> str:
        """Return what is not as the page says, nothing where all is."""
        said = f"{self.stdout}{self.stderr}"
        if self.code != self.command.code:
            return f"it exits {self.code}, not {self.command.code}:\n{said[-6000:]}"
        # A terminal shows both; most pages show the result, or the error, and leave out the rest.
        texts = (self.stdout, self.stderr, self.stderr + self.stdout)
        if self.command.shown and not any(alike(self.command.shown, text) for text in texts):
            shown = "\n".join(self.command.shown)
            return f"it does not print what is shown:\n{shown}\nbut:\n{said[-6000:]}"
        return ""


def run(
    commands: Sequence[Command],
    folder: Path,
    environment: Mapping[str, str],
    notes: Path,
    *,
    typed: Callable[[str], str] = str,
    timeout: float = 540,
) -> Iterator[Done]:
    """Yield each command once all have run, or one of them did not do what it should.

    `typed` returns what is typed for a text, which may be a secret for the word that stands for it.
    """
    notes.mkdir()
    script = canary.planted(notes / "script")
    texts = [typed(one.text) for one in commands]
    steps = zip(itertools.count(), texts, commands, strict=False)
    script.write_text("".join(_step(notes / str(at), text, one.code) for at, text, one in steps))
    script.chmod(0o600)
    argv = ["bash", "--noprofile", "--norc", str(script)]
    options = {"cwd": folder, "env": dict(environment), "text": True, "timeout": timeout}
    session = subprocess.run(argv, capture_output=True, **options)  # type: ignore[call-overload]
    for number, command in enumerate(commands):
        code = notes / f"{number}.code"
        if not code.exists():
            yield Done(command, -1, "", f"it never ended: {session.stderr}")
            return
        out, err = ((notes / f"{number}.{end}").read_text() for end in ("out", "err"))
        done = Done(command, int(code.read_text()), out, err)
        yield done
        if done.fault():
            return


def _step(at: Path, text: str, code: int) -> str:
    """Return the lines that run one command in the session itself: what it sets, stays set."""
    return (
        f"{{\n{text}\n}} >'{at}.out' 2>'{at}.err' </dev/null\n"
        f"code=$?; echo $code >'{at}.code'; [ $code -eq {code} ] || exit\n"
    )
