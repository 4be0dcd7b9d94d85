"""Background tasks that live as long as a block of code.

Guarantee: they run while the block runs, are cancelled and awaited when it ends, and one that fails is logged.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

from shared import logs

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


def is_cancelled() -> bool:
    """Tells whether the running task was told to end.

    What runs for ever and awaits the driver asks each time round: `asyncio.wait_for`, which the driver awaits, swallows
    in Python 3.11 a cancellation that comes together with its result.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("background task failed", task=task.get_name(), exc_info=task.exception())
