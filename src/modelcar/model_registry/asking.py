"""Ask a Model Registry: find its version, try again what may pass, and say what failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from modelcar import retries
from modelcar.errors import ModelRegistryError
from modelcar.model_registry import failures
from modelcar.model_registry.connection import Connection

T = TypeVar("T")
_log = logging.getLogger(__name__)


def ask(
    connection: Connection,
    what: str,
    action: Callable[[Any], Awaitable[T]],
    attempts: int = retries.ATTEMPTS,
) -> T:
    """Return what `action` does with the API; raise ModelRegistryError that says `what` failed.

    It is called anew from its start while what stops it may pass, so it must look before it writes:
    an answer that got lost may have been a success.
    """
    try:
        return asyncio.run(_tried(connection, action, attempts))
    except failures.client_errors() as error:
        raise ModelRegistryError(what, *failures.reason(error, connection)) from error


async def _tried(connection: Connection, action: Callable[[Any], Awaitable[T]], attempts: int) -> T:
    from modelcar.model_registry.client import Client

    async with Client(connection) as client:
        for attempt in range(attempts - 1):
            try:
                return await action(await client.api())
            except failures.client_errors() as error:
                if not failures.may_pass(error):
                    raise
                _log.info("%s: %s; trying again", connection.url, _why(error, connection))
                await asyncio.sleep(retries.backoff(attempt, failures.retry_after(error)))
        return await action(await client.api())


def _why(error: Exception, connection: Connection) -> str:
    return failures.reason(error, connection)[0]
