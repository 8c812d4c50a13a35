"""A folder like a fresh clone after `make setup`, and the machine of a user who works in it."""

import json
import os
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from modelcar import images
from tests import canary
from tests.pipeline.compiled_file import ROOT

_FOLDERS: Final = ("models", "compiled", "manifests", "scripts", "pipelines", "components")
_FILES: Final = ("Makefile", "pyproject.toml", "constraints.txt", "site.example.yaml")
_MODELCAR: Final = """#!{python}
# The command line, but for its default images: those of this name that stand at the tests' servers.
from modelcar import images
images.BASE, images.PYTHON, images.SKOPEO = {base!r}, {python_image!r}, {skopeo!r}
from modelcar.cli import main
main()
"""
_OC: Final = """#!/bin/sh
# The cluster's client: kubectl, and the few verbs that only OpenShift's has.
case "$1 $2" in
"login "*) mkdir -p ~/.kube && cp "{kubeconfig}" ~/.kube/config && echo "Login successful." ;;
"whoami -t") sed -n 's/^ *token: //p' ~/.kube/config ;;
"new-project "*) kubectl create namespace "$2" >/dev/null &&
  kubectl create --namespace "$2" --validate=false -f "{belongings}" >/dev/null &&
  kubectl config set-context --current --namespace "$2" >/dev/null &&
  echo "Now using project \\"$2\\" on server \\"https://api.example.com:6443\\"." ;;
"project "*) kubectl config set-context --current --namespace "$2" >/dev/null &&
  echo "Now using project \\"$2\\" on server \\"https://api.example.com:6443\\"." ;;
*) exec kubectl "$@" ;;
esac
"""


class Clone:
    """The folder, and what is on the user's PATH there; `images` are what stands for defaults."""

    def __init__(self, folder: Path, defaults: Mapping[str, str]) -> None:
        self.folder, self.home = folder / "modelcar-pipelines", folder / "home"
        self._bin = self.folder / ".venv" / "bin"
        self._bin.mkdir(parents=True)
        (self.home / "run").mkdir(parents=True)  # XDG_RUNTIME_DIR
        for name in _FOLDERS:
            shutil.copytree(ROOT / name, self.folder / name, ignore=_ignored)
        for name in _FILES:
            shutil.copy(ROOT / name, self.folder / name)
        self._name_images(defaults)
        self._programs(defaults)
        # Newer than what it depends on: `make` finds the environment ready.
        (self.folder / ".venv" / "ready").touch()

    def add_oc(self, kubeconfig: Path, belongings: Sequence[object]) -> None:
        """Put `oc` on the PATH; logging in gives that kubeconfig, a new project has belongings."""
        path = self.home.with_name("belongings.json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": belongings}))
        self._program("oc", _OC.format(kubeconfig=kubeconfig, belongings=path))

    def dry_make(self) -> None:
        """Have `make` say what it would do, and not do it."""
        self._program("make", f'#!/bin/sh\nexec {shutil.which("make")} --dry-run "$@"\n')

    def log_in(self, kubeconfig: Path) -> None:
        """Have the user be logged in at the cluster."""
        path = canary.planted(self.home / ".kube" / "config")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(kubeconfig.read_bytes())

    def environment(self) -> dict[str, str]:
        """Return what a login shell has here, and nothing of this process but its PATH."""
        canary.planted(self.home / ".kube" / "config")  # `oc login` writes it
        kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        path = os.pathsep.join((str(self._bin), str(Path(sys.executable).parent)))
        return {
            **kept,
            "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "LANG": "C.UTF-8",
            "COLUMNS": "120",
        }

    def _name_images(self, defaults: Mapping[str, str]) -> None:
        """Have compiled files name images that stand; theirs cannot be had without the internet."""
        texts = {path: path.read_text() for path in (self.folder / "compiled").iterdir()}
        for name, image in defaults.items():
            theirs = getattr(images, name)
            assert any(theirs in text for text in texts.values()), f"no compiled file has {theirs}"
            texts = {path: text.replace(theirs, image) for path, text in texts.items()}
        for path, text in texts.items():
            path.write_text(text)

    def _programs(self, defaults: Mapping[str, str]) -> None:
        python = sys.executable
        named = {"base": defaults["BASE"], "python_image": defaults["PYTHON"]}
        named |= {"skopeo": defaults["SKOPEO"], "python": python}
        self._program("modelcar", _MODELCAR.format(**named))
        self._program("python", f'#!/bin/sh\nexec "{python}" "$@"\n')
        (self._bin / "activate").write_text(f'PATH="{self._bin}:$PATH"\n')

    def _program(self, name: str, text: str) -> None:
        path = self._bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _ignored(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("__pycache__",)}
