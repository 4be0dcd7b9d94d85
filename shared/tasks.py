"""Tasks: those that live as long as a block of code, and those that outlive their caller.

Guarantee: the first run while the block runs, and are cancelled and awaited when it ends. One that ends before, by an
error or not, is logged and ends the block: a process without one of its parts stops, and its supervisor starts it anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from shared import logs, watchdog

STOP_SECONDS = 5.0
"""Longest time for a process to stop after one of its background tasks has ended."""

T = TypeVar("T")
_LOG = logs.get(__name__)


class BackgroundTaskEnded(Exception):
    """A task that should run for as long as its process has ended; if it was by an error, that is the cause."""


@contextlib.asynccontextmanager
async def running(*coroutines: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs coroutines beside the block, none of which is to end before it.

    Raises:
        BackgroundTaskEnded: One did. The block was cancelled; it is logged, and the process has `STOP_SECONDS` to stop.
    """
    block = asyncio.timeout(None)  # its end is how the block is cancelled
    ended: list[asyncio.Task[None]] = []
    is_over = False

    def note(task: asyncio.Task[None]) -> None:
        if is_over:
            _report_late(task)
            return
        _LOG.error("background task ended", task=task.get_name(), exc_info=_error_of(task))
        watchdog.end_within(STOP_SECONDS)
        ended.append(task)
        block.reschedule(0)

    tasks = [asyncio.create_task(each, name=getattr(each, "__qualname__", None)) for each in coroutines]
    for task in tasks:
        task.add_done_callback(note)
    try:
        try:
            async with block:
                yield
        except TimeoutError:
            if not ended:
                raise
        if ended:
            raise BackgroundTaskEnded(ended[0].get_name()) from _error_of(ended[0])
    finally:
        is_over = True
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


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _report_late(task: asyncio.Task[None]) -> None:
    error = _error_of(task)
    if error is not None:
        _LOG.error("background task failed while it was stopped", task=task.get_name(), exc_info=error)
