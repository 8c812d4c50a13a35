"""The peers: the environment that they are installed into, and what to know of them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PINNED: Final = ("oci-modelcar==1.3.0", "olot==1.2.1")
NOTES: Final = (
    "Verification is on for all: oci-modelcar compares the sha256 of LFS files and nothing of the "
    "others; modelcar compares every file; from a folder nobody has anything to compare with.",
    "modelcar puts a base image under the model, olot too; oci-modelcar has none, and neither has "
    "bare PATCH.",
    "oci-modelcar makes a layer of each file, small ones too; bare PATCH sends the weights alone.",
    "Unchanged: oci-modelcar takes a file outside LFS (README, config) for unchanged whenever the "
    "tag holds one of that path, whatever it says by now; modelcar compares every checksum.",
    "Changed: oci-modelcar takes a file of the right size from its spool unread, so that a changed "
    "shard is pushed with its old bytes under its new checksum; at a tag that holds another image "
    "it ends with an error. Hence its empty spool and its new tags.",
    "Lost: oci-modelcar believes the annotations at the tag, as modelcar does with "
    "`--trust-target` only.",
    "Telemetry is off for all, credentials are asked of none.",
    "Peak memory is that of the largest process, begun by one that holds about 10 MB; read counts "
    "files, Python's own included, wherever they are cached; written counts pages of files and of "
    "the file system itself, such as access times, hence some kB where nothing is written.",
    "All servers run on this machine: the clients share its cores with them.",
)
_VERSIONS: Final = """
import importlib.metadata, json
names = "oci-modelcar", "olot", "huggingface-hub", "requests", "urllib3"
print(json.dumps({name: importlib.metadata.version(name) for name in names}))
"""


@dataclass(frozen=True, slots=True)
class Peers:
    """The environment that the peers are installed in."""

    folder: Path

    @classmethod
    def installed(cls, folder: Path) -> "Peers":
        """Return the environment at `folder`, made on first use."""
        peers = cls(folder)
        if not (folder / "ready").is_file():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            argv = [peers.program("python"), "-m", "pip", "install", "--quiet", *PINNED]
            # The peers' versions are their own: our constraints do not hold for them.
            environment = {key: os.environ[key] for key in os.environ if key != "PIP_CONSTRAINT"}
            subprocess.run(argv, check=True, env=environment)
            (folder / "ready").touch()
        return peers

    def program(self, name: str) -> str:
        """Return the path of a program of this environment."""
        return str(self.folder / "bin" / name)

    def versions(self) -> dict[str, str]:
        """Return the versions of the peers and of what they stand on."""
        argv = [self.program("python"), "-c", _VERSIONS]
        said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        return dict(json.loads(said))
