"""Background tasks of a block, work that outlives its caller, and long work that yields to the event loop.

Guarantee: background tasks run while their block runs, and are cancelled and awaited when it ends. If one ends earlier,
with or without an error, that is logged and ends the block; the process stops, and its supervisor restarts it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from shared import logs, watchdog

STOP_SECONDS = 5.0
"""Longest time for a process to stop after one of its background tasks has ended."""

SLICE_SECONDS = 0.005
"""Longest time that `unhurried` blocks the event loop."""
S = TypeVar("S")
T = TypeVar("T")
_LOG = logs.get(__name__)


class BackgroundTaskEnded(Exception):
    """A task that should run as long as the process has ended; its error, if any, is the cause."""


@contextlib.asynccontextmanager
async def running(*coroutines: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs coroutines in the background of the block; none of them should end before it.

    Raises:
        BackgroundTaskEnded: One ended. The block is cancelled, and the process has `STOP_SECONDS` to stop.
    """
    block = asyncio.timeout(None)  # rescheduled to cancel the block
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
    """Awaits work that runs to completion even if its caller is cancelled.

    A cancelled caller waits until the work is complete, so its admission slot stays taken. A second cancellation ends
    the wait but not the work, whose error is then dropped.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_retrieve_error)
        await asyncio.wait([task])
        raise


async def unhurried(convert: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Converts items one by one, and yields to the event loop every `SLICE_SECONDS`.

    A single item that takes longer is not interrupted.
    """
    converted, began = list[T](), time.perf_counter()
    for item in items:
        converted.append(convert(item))
        if time.perf_counter() - began > SLICE_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()
    return converted


def is_cancelled() -> bool:
    """Returns whether the current task was cancelled.

    Endless loops that await the driver check it in each turn: `asyncio.wait_for`, which the driver awaits, swallows in
    Python 3.11 a cancellation that comes together with its result.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _retrieve_error(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # or asyncio would log that it was never retrieved


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _report_late(task: asyncio.Task[None]) -> None:
    error = _error_of(task)
    if error is not None:
        _LOG.error("background task failed while it was stopped", task=task.get_name(), exc_info=error)
