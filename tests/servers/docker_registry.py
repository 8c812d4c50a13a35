"""A real OCI registry on loopback: Debian's docker-registry, run on a folder."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import urllib3
import yaml

from tests.servers.ports import keep_port

_REQUEST = re.compile(r'"((?:GET|HEAD|POST|PATCH|PUT|DELETE) \S+) HTTP/')


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DockerRegistry:
    """Runs while it is entered; `host` is what references begin with.

    `tls` names a certificate and its key, in PEM; `auth` is the server's own section of that name.
    Without `deletes` it refuses to delete, as it does unless told otherwise.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        htpasswd: Path | None = None,
        *,
        tls: tuple[Path, Path] | None = None,
        auth: Mapping[str, object] | None = None,
        deletes: bool = True,
    ) -> None:
        self.folder = folder
        self._kept = None if port else keep_port()
        self.port = self._kept.getsockname()[1] if self._kept else port
        self.host = f"127.0.0.1:{self.port}"
        self._tls = tls
        self._auth = auth
        self._deletes = deletes
        if htpasswd is not None:
            self._auth = {"htpasswd": {"realm": "test", "path": str(htpasswd)}}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("docker-registry") or "docker-registry"
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "config.yml"
        settings.write_text(yaml.safe_dump(self._settings()), encoding="utf-8")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", settings], stdout=log, stderr=log, env=_environment()
            )
        try:
            self._await()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._kept is not None:
            self._kept.close()

    @property
    def log(self) -> Path:
        """Where the server logs every request."""
        return self.folder / "log"

    def asked(self) -> list[str]:
        """Return the method and path of every request so far, such as `PATCH /v2/…`."""
        return _REQUEST.findall(self.log.read_text(encoding="utf-8"))

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def collect_garbage(self) -> None:
        """Free what no manifest refers to; the server is stopped meanwhile, as it must be."""
        self.stop()
        program = shutil.which("docker-registry") or "docker-registry"
        argv = [program, "garbage-collect", str(self.folder / "config.yml")]
        subprocess.run(argv, check=True, capture_output=True, env=_environment())
        self.__enter__()

    def _settings(self) -> dict[str, object]:
        settings: dict[str, object] = {
            "version": "0.1",
            "log": {"accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "storage")},
                "delete": {"enabled": self._deletes},
            },
            "http": self._http(),
        }
        if self._auth is not None:
            settings["auth"] = self._auth
        return settings

    def _http(self) -> dict[str, object]:
        if self._tls is None:
            return {"addr": self.host}
        certificate, key = map(str, self._tls)
        return {"addr": self.host, "tls": {"certificate": certificate, "key": key}}

    def _await(self) -> None:
        scheme, authority = ("https", str(self._tls[0])) if self._tls else ("http", None)
        retries = urllib3.Retry(total=200, connect=200, backoff_factor=0.01, backoff_max=0.1)
        pool = urllib3.PoolManager(retries=retries, ca_certs=authority)
        with pool, suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", f"{scheme}://{self.host}/v2/").status in (200, 401):
                return
        raise RuntimeError(f"docker-registry did not start: {self.log.read_text()[-2000:]}")


def _environment() -> dict[str, str]:
    # It reads each REGISTRY_… as a setting of its own, skopeo's REGISTRY_AUTH_FILE among them.
    return {key: os.environ[key] for key in os.environ if not key.startswith("REGISTRY_")}
