"""The options that say how an image is made and sent."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from modelcar.packing import LEAST_CHUNK, Packing

Verb = TypeVar("Verb", bound=Callable[..., Any])


class Size(click.ParamType[int]):
    """A number of bytes as Kubernetes writes it, `100Mi`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        from modelcar import quantity

        if isinstance(value, int):
            return value
        found = quantity.parse(value)
        if found is None:
            self.fail(f"{value!r} is no size; try {quantity.meant(value) or '100Mi'}", param, ctx)
        return int(found)


def reuse_options(verb: Verb) -> Verb:
    """Add what decides which layers are reused and which are refused; gives `packing`."""
    return _with_packing(verb, _REUSE)


def packing_options(verb: Verb) -> Verb:
    """Add what decides how the image is made and sent; gives `packing`."""
    return _with_packing(verb, (*_REUSE, *_SENDING))


_REUSE = (
    click.option(
        "--trust-target", is_flag=True, help="Believe what images at the target say they hold."
    ),
    click.option(
        "--verify-reused", is_flag=True, help="Read reused layers, compare them with the source."
    ),
    click.option(
        "--max-layer-size", "max_layer", type=Size(), help="Refuse larger layers, such as 20G."
    ),
)
_SENDING = (
    click.option("--base", metavar="REF|scratch", help="What it stands on; scratch: volumes only."),
    click.option(
        "--platform",
        "platforms",
        multiple=True,
        metavar="OS/ARCH",
        help="Make an index over these platforms of the base; may be given several times.",
    ),
    click.option(
        "--keep-files/--release-files",
        "keep",
        default=None,
        help="Keep the files in the work folder, or remove those that lie there."
        "  [default: write none, remove none]",
    ),
    click.option("--chunk-size", "chunk", type=Size(), help="Send layers in parts, such as 100Mi."),
)


def _with_packing(verb: Verb, options: tuple[Callable[[Any], Any], ...]) -> Verb:
    names = Packing.__dataclass_fields__

    @wraps(verb)
    def with_packing(**given: Any) -> Any:
        chosen = {key: given.pop(key) for key in tuple(given) if key in names}
        return verb(packing=_packing(chosen), **given)

    wrapped = with_packing
    for option in reversed(options):
        wrapped = option(wrapped)
    return cast(Verb, wrapped)


def _packing(chosen: dict[str, Any]) -> Packing:
    packing = Packing(**{key: value for key, value in chosen.items() if value is not None})
    if 0 < packing.chunk < LEAST_CHUNK:
        raise click.BadParameter("must be 5Mi or more; 100Mi suits most", param_hint="--chunk-size")
    return packing
