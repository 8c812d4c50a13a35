"""What a stage runs on: the library in its own text or a runtime image.

In its own text is the default: a compiled file runs on a connected cluster once the namespace is
set up. With a runtime image, nothing is installed when a task starts.
"""

import inspect
from collections.abc import Callable
from typing import Any, Final

from kfp import dsl

from components._carried import Carried, carried, shared
from components._chosen import chosen
from components._pins import closure

_HEAD: Final = "from typing import *\n"
"""The last of the imports that kfp writes before a component's function."""


def stage(
    *packages: str, leaves: bool = False, finds: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Make a component of a function; `packages` are what its modules import from elsewhere.

    Argo keeps a task's text six times in one object of at most 1 MB. So a task may leave what it
    carries on the volume, for those that only have to find it there.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if chosen().runtime:
            return dsl.component(function, base_image=chosen().runtime, install_kfp_package=False)
        component = dsl.component(
            function, base_image=chosen().for_python, packages_to_install=closure(packages)
        )
        own = shared() if leaves or finds else carried(inspect.getsource(function))
        return _with(component, own, leaves=leaves, finds=finds)

    return decorate


def _with(component: Any, own: Carried, *, leaves: bool, finds: bool) -> Any:
    code = own.found() if finds else own.unpacked() + (own.left() if leaves else "")
    command = component.component_spec.implementation.container.command
    (place,) = (number for number, part in enumerate(command) if _HEAD in part)
    head, _, body = command[place].partition(_HEAD)
    command[place] = f"{head}{_HEAD}{code}{own.started()}{body}"
    return component
