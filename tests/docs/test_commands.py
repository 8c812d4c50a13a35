"""Every command that the documentation shows is run, as it stands there, in a place like a user's.

How a page is added: the words at the top of `place.py`.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelcar.oci.reference import DigestReference
from tests import kube_session
from tests.docs import session
from tests.docs.pages import Command, commands
from tests.docs.place import place
from tests.docs.prepared import INSTEAD, PAGES
from tests.pipeline.compiled_file import ROOT
from tests.servers import busybox_base
from tests.servers.kube import KubeServer

VARIABLES, PROGRAMS = ("KUBEBUILDER_ASSETS", "KSERVE_CRDS"), ("kubectl", "curl")


def pages() -> dict[str, list[Command]]:
    """Return the commands of each page that shows some."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {path.relative_to(ROOT).as_posix(): commands(path.read_text()) for path in files}
    return {name: shown for name, shown in found.items() if shown}


def missing() -> str:
    """Return what the commands that want a cluster lack here, nothing where all is there."""
    unset = (f"{name} is not set" for name in VARIABLES if not os.environ.get(name))
    absent = (f"{name} is not installed" for name in PROGRAMS if shutil.which(name) is None)
    return next(itertools.chain(unset, absent), "")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> DigestReference:
    return busybox_base.make(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer | None]:
    """Return an API server that knows what OpenShift AI serves, None where there is none."""
    if missing():
        yield None
        return
    with kube_session.kube_session(tmp_path_factory.mktemp("kube")) as server:
        yield server


def test_every_page_that_shows_commands_has_a_place() -> None:
    assert sorted(pages()) == sorted(PAGES)


def test_what_runs_in_place_of_a_command_is_of_one_that_a_page_shows() -> None:
    assert INSTEAD.keys() <= {_plain(one) for shown in pages().values() for one in shown}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_commands_of(
    page: str, base: DigestReference, kube: KubeServer | None, tmp_path: Path
) -> None:
    shown = commands((ROOT / page).read_text())
    able = [_instead(one) for one in shown if kube or not one.cluster]
    wanted = kube if any(one.cluster for one in shown) else None
    with place(tmp_path, base, wanted) as found:
        PAGES[page](found)
        environment = found.environment()
        for done in session.run(
            able, found.folder, environment, tmp_path / "notes", typed=found.typed
        ):
            fault = done.fault()
            assert not fault, f"{page}:{done.command.line}: $ {done.command.text}\n{fault}"
    if len(able) < len(shown):
        pytest.skip(f"{len(shown) - len(able)} of its commands want a cluster: {missing()}")


def _instead(command: Command) -> Command:
    text = _plain(command)
    return replace(command, text=INSTEAD[text][0]) if text in INSTEAD else command


def _plain(command: Command) -> str:
    """Return the command without the note behind it."""
    return command.text.partition("#")[0].strip()
