"""Tasks: those that live as long as a block of code, and those that outlive their caller.

Guarantee: the first run while the block runs, are cancelled and awaited when it ends, and one that fails is logged.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from shared import logs

T = TypeVar("T")
_LOG = logs.get(__name__)


@contextlib.asynccontextmanager
async def running(*coroutines: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs coroutines beside the block."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Awaits work that goes on to its end although its caller is cancelled.

    The call lasts as long as the work then: its place in a server stands for what is done. A second
    cancellation ends the waiting, not the work, of whose error nobody hears then.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_take_note)
        await asyncio.wait([task])
        raise


def is_cancelled() -> bool:
    """Tells whether the running task was told to end.

    What runs for ever and awaits the driver asks each time round: `asyncio.wait_for`, which the driver awaits, swallows
    in Python 3.11 a cancellation that comes together with its result.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _take_note(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # asyncio logs one that nobody has asked for


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("background task failed", task=task.get_name(), exc_info=task.exception())
