"""Ports of loopback that are kept for a server, so that no other process takes them before."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


def keep_port() -> socket.socket:
    """Return a socket whose port is given to nobody else until it is closed.

    A server listens there all the same when it sets SO_REUSEADDR, as those in Go and Python do.
    Before it does, a connection is refused.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


@contextmanager
def kept_ports(count: int) -> Iterator[list[int]]:
    """Yield so many ports, kept as long as the block lasts."""
    with ExitStack() as stack:
        kept = [stack.enter_context(keep_port()) for _ in range(count)]
        yield [one.getsockname()[1] for one in kept]
