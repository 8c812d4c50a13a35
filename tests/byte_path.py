"""What the tests of the byte path share: small models, and the command line as users run it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODELCAR = str(Path(sys.executable).parent / "modelcar")
REPO = "example/tiny"
README = b"---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n# tiny\n"


def safetensors(size: int, fill: int = 0) -> bytes:
    """Return a valid file of `size` bytes that holds one tensor."""
    length = size - 8 - 128
    tensor = {"w": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}
    header = json.dumps(tensor).encode().ljust(128)
    return len(header).to_bytes(8, "little") + header + bytes([fill]) * length


def tiny(**changes: bytes) -> dict[str, bytes]:
    """Return a model's files, all small; a change of `readme` is of README.md."""
    return {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "README.md": changes.get("readme", README),
        "config.json": changes.get("config", b'{"architectures": ["LlamaForCausalLM"]}'),
        "model.safetensors": changes.get("weights", safetensors(6000)),
        "pytorch_model.bin": b"a pickle of the same weights",
        "tokenizer.json": b'{"version": "1.0"}',
    }


def chosen(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return those of `tiny` that go into its image."""
    return {p: files[p] for p in files if p not in (".gitattributes", "pytorch_model.bin")}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def below(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder and their bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def modelcar(
    folder: Path, *argv: str, before: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in `folder`, with its work folder there; `before` comes before it."""
    return subprocess.run(
        [*before, MODELCAR, *argv],
        cwd=folder,
        env=surroundings(folder, **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )


def surroundings(folder: Path, **environment: str) -> dict[str, str]:
    """Return the environment of a command whose work folder is `work` in `folder`."""
    return {**os.environ, "MODELCAR_WORKDIR": str(folder / "work"), **environment}


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON that a command printed, once it went well."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(done: subprocess.CompletedProcess[str], *parts: str, code: int = 1) -> str:
    """Return the last line on standard error, once it is our one error and holds `parts`."""
    assert done.returncode == code, done.stderr
    assert not done.stdout, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("modelcar: "), done.stderr
    for part in parts:
        assert part in line, line
    return line
