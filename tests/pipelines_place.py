"""What the tests of submitting share: a pipelines server, and the command line that asks it."""

import json
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from unittest.mock import patch

import yaml
from click.testing import CliRunner

from modelcar.cli import main
from tests.byte_path import REPO, told
from tests.pipeline.compiled_file import SHIPPED
from tests.servers.certificate import self_signed
from tests.servers.pipelines_server import PipelinesServer

TOKEN: Final = "sha256~C4naryBird"
HOST: Final = "pipelines.internal"
"""Another name of the server, which only a proxy leads to."""
COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
AWAY: Final = "https://127.0.0.1:1"


Done = subprocess.CompletedProcess[str]


class Heard(logging.Handler):
    """Hears what is logged while it is entered, as the command line would say it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


@dataclass
class PipelinesPlace:
    """A pipelines server, and a folder with a catalog entry, a site file and a kubeconfig."""

    server: PipelinesServer
    folder: Path
    ca: Path
    entry: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)
    pipeline: Path = SHIPPED

    def run(self, verb: str, *options: str, **variables: str) -> Done:
        """Run a verb in this process; the token is never shown."""
        with chdir(self.folder), patch.dict(os.environ, self.prepared(**variables)), Heard() as log:
            result = CliRunner().invoke(main, [verb, *options])
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        stderr = "".join(f"{one}\n" for one in log.said) + result.stderr
        done = Done([verb, *options], result.exit_code, result.stdout, stderr)
        assert TOKEN not in done.stdout + done.stderr
        return done

    def prepared(self, **variables: str) -> dict[str, str]:
        """Write model and site as they are now, and return the variables of a command."""
        entry = {"name": "tiny", "source": f"hf://{REPO}", "version": "1.10", "commit": COMMIT}
        (self.folder / "tiny.yaml").write_text(json.dumps({**entry, **self.entry}))
        (self.folder / "site.yaml").write_text(json.dumps({"namespace": "models", **self.site}))
        given = {
            "KUBECONFIG": str(self.kubeconfig()),
            "MODELCAR_PIPELINES_URL": self.server.url,
            "MODELCAR_CA_BUNDLE": str(self.ca),
            "MODELCAR_WORKDIR": str(self.folder / "work"),
            "HOME": str(self.folder / "home"),
        }
        return {**given, **variables}

    def submit(self, *options: str, **variables: str) -> Done:
        """Submit tiny.yaml with the compiled file, without the checks before."""
        given = ("tiny.yaml", "--pipeline", str(self.pipeline), "--skip-preflight")
        return self.run("submit", *given, *options, **variables)

    def schedule(self, cron: str = "0 3 * * *", *options: str) -> Any:
        """Schedule tiny.yaml, and return what is told of it."""
        given = ("tiny.yaml", "--pipeline", str(self.pipeline), "--skip-preflight", "--json")
        return told(self.run("schedule", *given, "--cron", cron, *options))

    def kubeconfig(self, token: str = TOKEN) -> Path:
        """Write a kubeconfig of a cluster that is away, but has this token."""
        path = self.folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": AWAY}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def pipelines_place(folder: Path, **options: Any) -> Iterator[PipelinesPlace]:
    """Start a pipelines server whose certificate no system trusts."""
    tls = self_signed(folder / "tls", HOST)
    with PipelinesServer(tls, {TOKEN}, **options) as server:
        yield PipelinesPlace(server, folder, tls[0])
