"""vLLM's arguments as it reads them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise


def options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each option with its value, in one word or two; vLLM reads `_` as `-`."""
    words = [word for argument in arguments for word in argument.split()]
    for word, following in pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        if option.startswith("-"):
            yield option.replace("_", "-"), value if equals else following


def value(arguments: Sequence[str], name: str) -> str:
    """Return the value of an option, the last one as vLLM does; nothing where it is not given."""
    return next((text for option, text in reversed([*options(arguments)]) if option == name), "")
