"""The Containerfile, read as data."""

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Containerfile:
    """Its instructions in their order, each a word and what follows it."""

    steps: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls) -> Self:
        lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
        text = "\n".join(line for line in lines if line and not line.startswith("#"))
        steps = (line.partition(" ") for line in text.replace("\\\n", " ").splitlines())
        return cls(tuple((word, rest.strip()) for word, _, rest in steps))

    def all(self, word: str) -> list[str]:
        return [rest for name, rest in self.steps if name == word]

    def pairs(self, word: str) -> dict[str, str]:
        """Return what all instructions `word`, of the form NAME=VALUE…, set together."""
        found = (pair.partition("=") for rest in self.all(word) for pair in shlex.split(rest))
        return {name: value for name, _, value in found}

    @property
    def command(self) -> list[str]:
        """Return what the image runs when it is told nothing."""
        return [part for word in ("ENTRYPOINT", "CMD") for part in json.loads(self.all(word)[-1])]

    @property
    def copied(self) -> list[tuple[str, str]]:
        """Return each source and the folder or file that it becomes."""
        words = [rest.split() for rest in self.all("COPY")]
        return [(source, target) for *sources, target in words for source in sources]

    def copy(self, folder: Path) -> None:
        """Copy into `folder` what is copied into the image, and nothing else."""
        for source, target in self.copied:
            path = folder / target
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, path, ignore=ignored, dirs_exist_ok=True)
            else:
                path.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, path)
