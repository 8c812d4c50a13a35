"""What whoever compiles has chosen for a site: the images, and variables of every task."""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modelcar import images

VARIABLE: Final = "MODELCAR_COMPILE"
"""Of the process that compiles: a choice in JSON, since components take shape on import."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The images by what they are for; with a runtime image no task installs anything."""

    runtime: str = ""
    base: str = images.BASE
    python: str = images.PYTHON
    skopeo: str = images.SKOPEO
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def for_python(self) -> str:
        """What Python stages run on."""
        return self.runtime or self.python

    @property
    def for_skopeo(self) -> str:
        """What mirror runs on; the runtime image has skopeo too."""
        return self.runtime or self.skopeo


def hand_over(choice: Choice) -> None:
    """Have the components that are imported from now on take this choice."""
    os.environ[VARIABLE] = json.dumps(dataclasses.asdict(choice))


def chosen() -> Choice:
    """Return the choice that was handed over, else the defaults."""
    return Choice(**json.loads(os.environ.get(VARIABLE, "{}")))
