"""Background tasks that live as long as a block of code.

Guarantee: they run while the block runs, are cancelled and awaited when it ends, and one that fails is logged.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

from shared import logs

PATIENCE_SECONDS = 1.0
"""Time for a cancelled task to end before it is cancelled again."""

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
        # More than once: what runs out just then, in the driver for example, can swallow a cancellation.
        while left := [task for task in tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=PATIENCE_SECONDS)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("background task failed", task=task.get_name(), exc_info=task.exception())
