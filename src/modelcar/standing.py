"""What stands of a command's work, as far as it has come: for who watches, and who interrupts."""

import threading
from dataclasses import dataclass, field
from typing import Final

from modelcar.values import Plan, StageRecord
from modelcar.wording import size

_NOTHING: Final = "nothing has moved yet"
_SAYS: Final = {
    "plan": _NOTHING,
    "mirror": "the mirror is not complete; layers that are through stand there",
    "register": "the image stands, and may not be registered yet",
    "deploy": "nothing is known to be applied yet",
}


@dataclass(slots=True)
class Standing:
    """Kept by a view, from several threads."""

    stage: str = ""
    """The one that runs, or ran last."""
    place: str = ""
    """Where layers or files go, such as `host/repository`."""
    layers: int = 0
    """How many are to stand there; 0 while files are downloaded."""
    there: int = 0
    """How many do."""
    to_move: int = 0
    """Bytes."""
    moved: int = 0
    reused: int = 0
    """Bytes that need not move."""
    note: str = ""
    """What the cluster is waited for, in words."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, record: StageRecord) -> None:
        """Take note of a stage that begins."""
        if record.status == "running":
            self.stage, self.note = record.name, ""

    def build(self, made: Plan, place: str) -> None:
        """Take note of the layers that are to stand at `place`."""
        self.place, self.layers = place, len(made.layers)
        self.there = sum(layer.reused for layer in made.layers)
        self.to_move, self.reused = made.bytes.uploaded, made.bytes.reused

    def download(self, made: Plan, place: str) -> None:
        """Take note of the files that are to lie at `place`."""
        self.place, self.to_move = place, made.bytes.downloaded
        self.reused = sum(file.size for file in made.files) - self.to_move

    def advance(self, moved: int) -> None:
        """Take note of bytes that moved."""
        with self._lock:
            self.moved += moved

    def through(self) -> None:
        """Take note of a transfer that ended well."""
        with self._lock:
            self.there += 1

    def told(self) -> str:
        """Say in one line what stands, nothing where that is not known."""
        if self.note:
            return f"the cluster goes on with what is applied ({self.note})"
        if self.stage not in ("download", "build"):
            return _SAYS.get(self.stage, "")
        return self._moved() if self.place else _NOTHING

    def _moved(self) -> str:
        moved = f"{size(self.moved)} of {size(self.to_move)}"
        if self.layers:
            return f"{self.there} of {self.layers} layers stand at {self.place}, {moved} moved"
        return f"{moved} moved into {self.place}, where whole and half files stay"
