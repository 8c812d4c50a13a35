"""Read a file over HTTP from an offset, and go on where a broken connection stopped."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from modelcar import connections, pace
from modelcar.errors import ServerError
from modelcar.retries import Patience

BLOCK: Final = 1 << 20
"""Bytes: few enough for memory, so many that little time goes into passing them on."""
_PART: Final = re.compile(r"bytes (\d{1,18})-\d+/(?:\d+|\*)")
Response = urllib3.BaseHTTPResponse


def read(
    ask: Callable[[int], Response],
    size: int,
    start: int,
    broken: Callable[[str], ServerError],
) -> Iterator[bytes]:
    """Yield the file's bytes from `start` on, up to what `ask` answers.

    `ask` requests the file from an offset on and raises ServerError; `broken` is the error of an
    answer that ended early, by why. A server that knows no ranges is read from the start again.
    """
    at, patience = start, Patience()
    while at < size:
        try:
            for block in _from(ask(at), at, broken):
                at += len(block)
                yield block
            if at < size:
                raise broken(f"the answer ended at byte {at} of {size}")
        except ServerError as error:
            patience.wait(error, at)


def _from(response: Response, start: int, broken: Callable[[str], ServerError]) -> Iterator[bytes]:
    begins = _begin(response)
    if begins > start:
        raise broken(f"asked for byte {start}, the answer begins at byte {begins}")
    try:
        for block in pace.blocks(response, BLOCK, connections.STORE):
            if begins + len(block) > start:
                yield block[max(start - begins, 0) :]
            begins += len(block)
    except HTTPError as error:
        raise broken(str(error)) from error
    finally:
        response.close()


def _begin(response: Response) -> int:
    part = _PART.fullmatch(response.headers.get("Content-Range", ""))
    return int(part[1]) if response.status == 206 and part else 0
