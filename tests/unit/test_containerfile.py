"""The Containerfile: what it stands on, copies and says, and whom it runs as."""

import re
import subprocess
import tomllib
from pathlib import Path

from modelcar import images
from tests.containerfile import ROOT, Containerfile

IMAGE = Containerfile.read()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_it_stands_on_the_python_image_that_stages_run_on() -> None:
    assert IMAGE.steps[0] == ("FROM", images.PYTHON)
    assert IMAGE.all("FROM") == [images.PYTHON]


def test_it_ends_as_a_user_without_rights_who_can_write_to_tmp() -> None:
    assert re.fullmatch(r"[1-9]\d*", IMAGE.all("USER")[-1])
    last = max(at for at, (word, _) in enumerate(IMAGE.steps) if word == "RUN")
    assert "USER" in [word for word, _ in IMAGE.steps[last:]]
    assert IMAGE.pairs("ENV")["HOME"] == "/tmp"


def test_what_it_copies_is_there_and_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    sources = {source for source, _ in IMAGE.copied}
    assert all((ROOT / source).exists() for source in sources)
    assert "*" in lines
    assert sent == sources | {"Containerfile"}


def test_it_names_no_package_index() -> None:
    script = (ROOT / "scripts/install-image.sh").read_text(encoding="utf-8")
    text = (ROOT / "Containerfile").read_text(encoding="utf-8") + script
    assert not re.search(r"https?:|pypi|index-url|find-links|trusted-host|\.repo\b", text)


def test_it_says_what_it_is_as_the_project_does() -> None:
    arguments, labels = IMAGE.pairs("ARG"), IMAGE.pairs("LABEL")
    assert arguments == {"VERSION": PROJECT["version"], "DESCRIPTION": PROJECT["description"]}
    shown = {"name", "summary", "description", "io.k8s.display-name", "io.openshift.tags"}
    standard = {f"org.opencontainers.image.{name}" for name in ("title", "version", "licenses")}
    assert shown | standard <= labels.keys()
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]


def test_it_is_not_built_without_a_pinned_kfp(tmp_path: Path) -> None:
    IMAGE.copy(tmp_path)
    pins = tmp_path / "constraints.txt"
    pins.write_text(pins.read_text(encoding="utf-8").replace("kfp==", "other=="))

    script = tmp_path / "scripts/install-image.sh"
    done = subprocess.run(["bash", script], env={"PYTHON": "false"}, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith("install-image.sh: constraints.txt does not pin kfp; run")
