"""What a stage runs on: its own modules, embedded in the component, or a runtime image.

Embedded is the default: a compiled file runs on a connected cluster once the namespace is set up.
With a runtime image, nothing is installed when a task starts.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kfp import dsl

from components._chosen import chosen
from components._embedding import archive, decoding
from components._pins import closure
from components._reaching import reached

SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
_NAME: Final = "__KFP_EMBEDDED_ARCHIVE_B64"
_ARCHIVE: Final = re.compile(rf"{_NAME} = '[^']*'")
_KFPS_DECODING: Final = f"b64decode({_NAME}.encode('ascii'))"


def stage(*packages: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a component of a function; `packages` are what its modules import from elsewhere."""

    def decorate(function: Callable[..., Any]) -> Any:
        if chosen().runtime:
            return dsl.component(function, base_image=chosen().runtime, install_kfp_package=False)
        component = dsl.component(
            function,
            base_image=chosen().for_python,
            packages_to_install=closure(packages),
            embedded_artifact_path=str(SOURCE),
        )
        return _canonical(component, inspect.getsource(function))

    return decorate


def _canonical(component: Any, body: str) -> Any:
    # kfp embeds the whole folder with its clocks and owners: the same sources would compile to
    # other bytes each time. It packs with gzip, a seventh larger than bzip2 does.
    embedded = archive(SOURCE, reached(SOURCE, body))
    command = component.component_spec.implementation.container.command
    command[:] = [_ours(part, embedded) for part in command]
    return component


def _ours(part: str, embedded: str) -> str:
    packed = _ARCHIVE.sub(lambda _: f"{_NAME} = '{embedded}'", part)
    return packed.replace(_KFPS_DECODING, decoding(_NAME)).replace("mode='r:gz'", "mode='r:bz2'")
