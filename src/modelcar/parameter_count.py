"""How many parameters a model has, from its tensors' elements. Pure."""

import re
from collections.abc import Mapping
from typing import Final

_PACKED: Final = {"I32": 32, "U8": 8}
"""The bits of the integers that quantized weights are packed into, several to one."""
_WIDTH: Final = re.compile(r"(?:fp|\b)(\d{1,2})(?:-bit)?$")
"""Finds the bits of a weight in `awq 4-bit` and in `mxfp4`."""


def parameter_count(tensors: Mapping[str, int], quantization: str) -> int:
    """Return the number of parameters from the tensors' elements by dtype.

    Where quantized weights are packed into integers, it is an estimate: every such integer counts
    as many weights as it has room for, scales and zero points among them.
    """
    bits = _WIDTH.search(quantization)
    return sum(
        _unpacked(dtype, count, int(bits[1]) if bits else 0) for dtype, count in tensors.items()
    )


def _unpacked(dtype: str, count: int, bits: int) -> int:
    room = _PACKED.get(dtype, 0)
    return count * room // bits if 0 < bits < room else count
