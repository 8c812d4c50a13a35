"""Half files of runs that were killed: gone on with for a week, then removed unless in use."""

import fcntl
import os
from pathlib import Path

from tests.byte_path import REPO, modelcar, tiny
from tests.servers.hub import HubServer

_EIGHT_DAYS = 8 * 24 * 3600


def test_a_volume_does_not_fill_with_halves(tmp_path: Path) -> None:
    folder = tmp_path / "work/.modelcar/partial"
    folder.mkdir(parents=True)
    for name in ("recent", "old", "old-in-use"):
        (folder / name).write_bytes(b"half")
    for name in ("old", "old-in-use"):
        now = (folder / name).stat().st_mtime
        os.utime(folder / name, (now - _EIGHT_DAYS, now - _EIGHT_DAYS))
    with HubServer({REPO: tiny()}) as hub, (folder / "old-in-use").open("ab") as user:
        fcntl.flock(user, fcntl.LOCK_EX)
        assert modelcar(tmp_path, "download", f"hf://{REPO}", HF_ENDPOINT=hub.url).returncode == 0
    assert {path.name for path in folder.iterdir()} == {"recent", "old-in-use"}
