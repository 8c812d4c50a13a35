"""The library's code as a component carries it, leaves it on the volume, or finds it there."""

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from components._embedding import archive, decoding, unpacked
from components._reaching import reached

SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
FOLDER: Final = "MODELCAR_CODE"
"""The variable that names the folder on the volume where code is left; files by their sha256."""
SHARING: Final = ("download", "transfer", "build", "register", "deploy", "verify")
"""The stages that have the volume, and share one archive there."""
_NAME: Final = "MODELCAR_ARCHIVE"


@dataclass(frozen=True, slots=True)
class Carried:
    """An archive as text; each method returns Python that stands before a component's function."""

    text: str

    @property
    def sha256(self) -> str:
        """The hexadecimal digest of the archive."""
        return hashlib.sha256(unpacked(self.text)).hexdigest()

    def unpacked(self) -> str:
        """Have the archive as the bytes `_code`."""
        return f"\nimport base64\n{_NAME} = '{self.text}'\n_code = base64.{decoding(_NAME)}\n"

    def left(self) -> str:
        """Leave it on the volume; where that fails, the task itself will say what is wrong."""
        return (
            "import os, sys, tempfile\n"
            f"_path = os.path.join(os.environ['{FOLDER}'], '{self.sha256}')\n"
            "try:\n"
            "    os.makedirs(os.path.dirname(_path), exist_ok=True)\n"
            "    _file, _new = tempfile.mkstemp(dir=os.path.dirname(_path))\n"
            "    with os.fdopen(_file, 'wb') as _file: _file.write(_code)\n"
            "    os.chmod(_new, 0o644)\n"
            "    os.replace(_new, _path)\n"
            "except OSError as _error: print(f'code on the volume: {_error}', file=sys.stderr)\n"
        )

    def found(self) -> str:
        """Take it from the volume, and nothing else that may lie there."""
        return (
            "\nimport hashlib, os, sys\n"
            f"_path = os.path.join(os.environ['{FOLDER}'], '{self.sha256}')\n"
            "_code = open(_path, 'rb').read() if os.path.isfile(_path) else b''\n"
            f"if hashlib.sha256(_code).hexdigest() != '{self.sha256}':\n"
            "    sys.exit(f'{_path}: the code that an earlier task left is not there; "
            "start a new run')\n"
        )

    def started(self) -> str:
        """Make the modules in `_code` importable."""
        return (
            "import bz2, pathlib, sys, tempfile\n"
            "_folder = tempfile.mkdtemp()\n"
            "_parts = iter(bz2.decompress(_code).decode().split(chr(0)))\n"
            "for _part in _parts:\n"
            "    _file = pathlib.Path(_folder, _part)\n"
            "    _file.parent.mkdir(parents=True, exist_ok=True)\n"
            "    _file.write_text(next(_parts), encoding='utf-8')\n"
            "sys.path.insert(0, _folder)\n"
        )


def carried(body: str) -> Carried:
    """Return what a component of this source carries for itself alone."""
    return Carried(archive(SOURCE, reached(SOURCE, body)))


@cache
def shared() -> Carried:
    """Return what the stages that have the volume carry together."""
    return carried("\n".join(map(source_of, SHARING)))


def source_of(stage: str) -> str:
    """Return the source of a stage's function."""
    path = Path(__file__).with_name(stage) / "component.py"
    text = path.read_text(encoding="utf-8")
    (function,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return "\n".join(text.splitlines()[function.lineno - 1 : function.end_lineno])
