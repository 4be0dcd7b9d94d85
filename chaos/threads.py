"""Blocking context managers in an event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def in_thread(manager: contextlib.AbstractContextManager[None]) -> AsyncIterator[None]:
    """Enters and exits a blocking context manager in a thread, so that clients are not delayed."""
    await asyncio.to_thread(manager.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
