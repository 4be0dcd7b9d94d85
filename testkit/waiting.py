"""The one way in which tests wait for a condition."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60.0
"""The default limit; generous, because a shared machine can stall."""


async def eventually(holds: Callable[[], Awaitable[bool]], *, what: str, within: float = PATIENCE_SECONDS) -> None:
    """Waits until `holds` returns true; fails with `what` after `within` seconds."""
    ends = time.monotonic() + within
    while not await holds():
        assert time.monotonic() < ends, f"expected within {within} s: {what}"
        await asyncio.sleep(0.02)
