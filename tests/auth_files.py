"""Auth files as skopeo, podman and docker write them, and the file by which a server knows them."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any, Final

from tests import canary

SECRET: Final = canary.secret("login")


def entry(username: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def write(path: Path, **entries: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    canary.planted(path).write_text(json.dumps({"auths": entries}))
    return path


def htpasswd(path: Path, user: str, password: str = SECRET) -> Path:
    """Write the file by which an OCI registry knows one user."""
    argv = ["htpasswd", "-Bin", user]
    made = subprocess.run(argv, input=password.encode(), capture_output=True, check=True)
    path.write_bytes(made.stdout)
    return path
