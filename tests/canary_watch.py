"""A pytest plugin that fails a test which shows a secret, wherever that is. See `canary`."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.capture import CaptureFixture
from click.testing import CliRunner

from modelcar.errors import ModelCarError
from tests import canary, canary_hooks

_BLOCK: Final = 8 << 20
_found: Final[list[str]] = []


def tell(line: str) -> None:
    """Take note of a secret that was shown; the test that runs fails with this line."""
    _found.append(line)


def look(text: Any, where: str) -> None:
    """Look for a secret in text or bytes."""
    if isinstance(text, str | bytes | bytearray) and (found := canary.shown(text)):
        tell(f"{where}: …{found}…")


class Files:
    """The files below folders, each version of them read once."""

    def __init__(self) -> None:
        self._read: set[tuple[int, int, int, int]] = set()

    def look(self, folder: Path) -> None:
        for parent, _, names in os.walk(folder):
            for name in names:
                self._file(Path(parent, name))

    def _file(self, path: Path) -> None:
        try:
            stat = path.lstat()
            seen = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen not in self._read and path.is_file() and not canary.is_planted(path):
                self._content(path)
            self._read.add(seen)
        except OSError:
            pass  # a server's own may go meanwhile

    def _content(self, path: Path) -> None:
        look(str(path), "name of a file")
        before = b""
        for block in _blocks(path):
            if found := canary.shown(before + block):
                tell(f"file {path}: …{found}…")
                return
            before = block[-64:]


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes without its holes: some tests make files of terabytes."""
    with path.open("rb", buffering=0) as stream, suppress(OSError):  # there are no more data
        while True:
            stream.seek(stream.tell(), os.SEEK_DATA)
            end = os.lseek(stream.fileno(), at := stream.tell(), os.SEEK_HOLE)
            stream.seek(at)
            while at < end and (block := stream.read(min(_BLOCK, end - at))):
                at += len(block)
                yield block


class Children:
    """What the hooks in Python's children tell; `folder` is put before their modules."""

    def __init__(self, folder: Path) -> None:
        self._rows, self._at = folder / "rows", 0
        self._rows.touch()
        source = Path(canary_hooks.__file__).read_text(encoding="utf-8")
        told = f"lambda line: open({str(self._rows)!r}, 'a').write(' '.join(line.split()) + '\\n')"
        hooks = f"{source}\n\ninstall({canary.NEEDLES!r}, {told})\n"
        (folder / "sitecustomize.py").write_text(hooks, encoding="utf-8")
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{before}" if before else str(folder)

    def look(self) -> None:
        if self._rows.stat().st_size > self._at:
            with self._rows.open(encoding="utf-8", errors="replace") as rows:
                rows.seek(self._at)
                _found.extend(rows.read().splitlines())
                self._at = rows.tell()


class Instances:
    """The objects of the library's own classes: whoever is given a secret must not repeat it."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._classes: set[type] = set()
        self._told: set[str] = set()
        self.observe()

    def observe(self) -> None:
        """Observe the classes of the modules that were imported since."""
        names = {name for name in sys.modules if name.startswith("modelcar.")} - self._modules
        for name in names:
            found = vars(sys.modules[name]).values()
            self._take({one for one in found if isinstance(one, type)}, name)
        self._modules |= names

    def _take(self, found: set[type], module: str) -> None:
        own = {one for one in found if one.__module__ == module}
        for one in {one for one in own if not issubclass(one, BaseException)}:
            self._classes.add(one)
            if "__init__" in vars(one):
                _observe(one, "__init__", _compare_repr)

    def look(self) -> None:
        """Look at everything that lives."""
        for one in gc.get_objects():
            if type(one) in self._classes:
                with suppress(AttributeError):  # another thread has begun to make it
                    self._once(repr(one), f"repr of {type(one).__name__}")

    def _once(self, text: str, where: str) -> None:
        if canary.shown(text) and text not in self._told:
            self._told.add(text)  # it may live on
            look(text, where)


def _compare_repr(made: Any, _: Any, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    if any(isinstance(one, str) and canary.shown(one) for one in (*given, *options.values())):
        look(f"{made!r} {made}", f"repr of {type(made).__name__}")


def _observe(owner: type, name: str, observer: Callable[..., None]) -> None:
    """Have `observer` see each call of a method: the object, the result, the arguments."""
    method = getattr(owner, name)

    def observed(self: Any, *given: Any, **options: Any) -> Any:
        result = method(self, *given, **options)
        observer(self, result, given, options)
        return result

    observed.__wrapped__ = method  # type: ignore[attr-defined]
    observed.__name__, observed.__doc__ = name, method.__doc__
    setattr(owner, name, observed)


def _error(error: ModelCarError, *_: object) -> None:
    look(f"{error} {error!r} {vars(error)}", f"error {type(error).__name__}")


def _output(process: "subprocess.Popen[Any]", result: tuple[Any, Any], *_: object) -> None:
    look(result[0], f"standard output of {process.args!r}")
    look(result[1], f"standard error of {process.args!r}")


def _captured(_: object, result: tuple[Any, Any], *__: object) -> None:
    look(result[0], "standard output, as captured")
    look(result[1], "standard error, as captured")


def _invoked(_: object, result: Any, *__: object) -> None:
    look(result.output, "output of a command")
    look(repr(result.exception), "exception of a command")


class Watch:
    """What is watched while a session runs."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.files, self.children, self.instances = Files(), Children(folder), Instances()
        self._temporary, self._closed = temporary, {canary.planted(folder)}
        canary_hooks.install(canary.NEEDLES, tell)
        _observe(ModelCarError, "__init__", _error)
        _observe(subprocess.Popen, "communicate", _output)
        _observe(CaptureFixture, "readouterr", _captured)
        _observe(CliRunner, "invoke", _invoked)

    def after(self, item: pytest.Item, following: str) -> list[str]:
        """Return what a test has shown; `following` is the file of the next one, if any."""
        for _, name, text in item._report_sections:
            look(text, f"captured {name}")
        if folder := getattr(item, "funcargs", {}).get("tmp_path"):
            self._folder(folder)
        if following != str(item.path):
            self._file(last=not following)
        self.children.look()
        self.instances.observe()
        found = list(dict.fromkeys([*_found, *map(_bare, canary.unmarked)]))
        _found.clear()
        canary.unmarked.clear()
        return found

    def _folder(self, folder: Path) -> None:
        self.files.look(folder)
        self._closed.add(folder)

    def _file(self, last: bool) -> None:
        """Look at what tests of a file share, and at the last at what all of them share."""
        for folder in self._temporary.iterdir():
            if (last or folder not in self._closed) and not folder.is_symlink():
                self._folder(folder)
        self.instances.look()


_WATCH: Final = pytest.StashKey[Watch]()
_FOLLOWING: Final = pytest.StashKey[str]()


def _bare(secret: str) -> str:
    return f"a server was sent {secret!r}, a secret without a mark: make it with tests.canary"


@pytest.fixture(autouse=True, scope="session")
def _watched(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("canary")
    pytestconfig.stash[_WATCH] = Watch(folder, tmp_path_factory.getbasetemp())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, Any, Any]:
    """Take note of the file that is next."""
    item.config.stash[_FOLLOWING] = str(nextitem.path) if nextitem else ""
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Have the report say what the test has shown."""
    report = yield
    watch = item.config.stash.get(_WATCH, None) if call.when == "teardown" else None
    found = watch.after(item, item.config.stash[_FOLLOWING]) if watch else []
    if found and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(("a secret was shown", *found))
    return report
