"""`make demo` as a user runs it: the whole main job on the real model, twice, and interrupted."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.demo", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path) -> str:
    process = start(folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def rows(out: str) -> dict[str, str]:
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()[:-1]}


def test_second_run_changes_nothing(tmp_path: Path) -> None:
    first, second = finish(tmp_path), finish(tmp_path)

    told = rows(first)
    digest = told["image"].rpartition("@")[2]
    assert digest.startswith("sha256:")
    assert told["mirror"].endswith(digest)
    assert told["registered"].startswith("all-minilm-l6-v2 1.0, id ")
    assert Path(told["report"]).is_file()
    manifest = yaml.safe_load(Path(told["manifest"]).read_text())
    assert manifest["spec"]["predictor"]["model"]["storageUri"] == f"oci://{told['image']}"
    assert first.splitlines()[-1].startswith("90868376 weight bytes left the Hub")
    assert second.splitlines()[-1].startswith("nothing changed: 0 weight bytes left the Hub")
    assert rows(second) == told


def test_interrupt_stops_every_server(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Hub http")

    os.killpg(process.pid, signal.SIGINT)

    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "every server is down" in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    for port in json.loads((tmp_path / "ports.json").read_text()).values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
