"""Check the header of a safetensors file while the file streams by, and count its elements."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeGuard

from modelcar import safe_json
from modelcar.errors import VerificationError

_MAX_HEADER, _MAX = 100_000_000, 2**64 - 1
_REMEDY = "it is damaged or no safetensors file: ask its author, or leave it out with --exclude"
# The dtypes that the format's own library knows, by their bits; it refuses any other.
_DTYPES = {
    4: "F4",
    6: "F6_E2M3 F6_E3M2",
    8: "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
    16: "I16 U16 F16 BF16",
    32: "I32 U32 F32",
    64: "C64 F64 I64 U64",
}
_BITS = {dtype: bits for bits, dtypes in _DTYPES.items() for dtype in dtypes.split()}


def tensor_bytes(tensors: Mapping[str, int]) -> int:
    """Return the bytes of so many elements by dtype; a dtype that is not known counts nothing."""
    return sum(count * _BITS.get(dtype, 0) for dtype, count in tensors.items()) // 8


# A parsed header takes many times the memory of its bytes, and layers stream in parallel: only
# one header is parsed at a time, and none is kept.
_parsing = threading.Lock()


class HeaderReader:
    """Judge a file by its header, which must account for every byte that follows it.

    The rules are those of the format's README and of `tensor.rs` in its own library. The values
    of the tensors are not looked at.
    """

    def __init__(self, path: str, size: int) -> None:
        self._path, self._size = path, size
        self._head = bytearray()
        self._end = 0
        self._tensors: dict[str, int] | None = None

    @property
    def tensors(self) -> Mapping[str, int]:
        """The number of elements by dtype, sorted; nothing before the header was read."""
        return self._tensors or {}

    def update(self, block: bytes | memoryview) -> None:
        """Take the file's next bytes; raise VerificationError as soon as they show a fault."""
        if self._tensors is not None:
            return
        self._head += block[: (self._end or 8 + _MAX_HEADER) - len(self._head)]
        try:
            self._judge()
        except (ValueError, RecursionError) as error:
            why = f"its header cannot be used ({error})"
            raise VerificationError(self._path, why, _REMEDY) from error

    def finish(self) -> None:
        """Raise VerificationError when the file ended before its header did."""
        if self._tensors is None:
            raise VerificationError(self._path, "it ends before its header does", _REMEDY)

    def _judge(self) -> None:
        if not self._end and len(self._head) >= 8:
            self._end = 8 + _length(self._head, self._size)
        if self._end and len(self._head) >= self._end:
            with _parsing:
                text = self._head[8 : self._end].decode()
                self._head = bytearray()
                self._tensors = _elements(_parse(text), self._size - self._end)


def _length(head: bytearray, size: int) -> int:
    length = int.from_bytes(head[:8], "little")
    if length > min(_MAX_HEADER, size - 8):
        raise ValueError(f"{length} bytes; the file has {size}, and {_MAX_HEADER} are allowed")
    return length


def _parse(text: str) -> dict[str, Any]:
    """Return the tensors by name; a null `__metadata__` is none, as in the format's library."""
    if not text.startswith("{"):
        raise ValueError("it does not begin with '{'")
    safe_json.hold(text)
    header: dict[str, Any] = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    metadata = header.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("__metadata__ is no object of texts")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    for text in (*found, *found.values()):
        if isinstance(text, str):
            text.encode()  # raises at half a surrogate pair, which upstream refuses
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _elements(tensors: Mapping[str, Any], size: int) -> dict[str, int]:
    """Return the number of elements by dtype, once the tensors fill `size` bytes exactly."""
    counts, filled = Counter[str](), 0
    for name, tensor in tensors.items():
        dtype, elements = _tensor(f"tensor {name[:80]!r}", tensor)
        counts[dtype] += elements
    for begin, end in sorted(tensor["data_offsets"] for tensor in tensors.values()):
        if begin != filled:
            owners = "two tensors" if begin < filled else "no tensor"
            raise ValueError(f"byte {min(begin, filled)} of the data belongs to {owners}")
        filled = end
    if filled != size:
        raise ValueError(f"its tensors have {filled} bytes, and {size} follow it")
    return dict(sorted(counts.items()))


def _tensor(name: str, tensor: Any) -> tuple[str, int]:
    """Return the dtype and the number of elements, once these fill the bytes they are said to."""
    fields = tensor if isinstance(tensor, dict) else {}
    dtype, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError(f"{name} has the unknown dtype {str(dtype)[:80]!r}")
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise ValueError(f"{name} has no right shape or data_offsets")
    elements = 1
    for length in shape:
        elements *= length
        # As upstream; besides, a long shape of large numbers would take hours to multiply.
        if elements > _MAX:
            raise ValueError(f"{name} has a shape that is too large")
    if elements * _BITS[dtype] != (offsets[1] - offsets[0]) * 8:
        raise ValueError(f"{name} does not fill its bytes")
    return dtype, elements


def _naturals(value: Any) -> TypeGuard[list[int]]:
    # A bool is an int to isinstance.
    return isinstance(value, list) and all(type(v) is int and 0 <= v <= _MAX for v in value)
