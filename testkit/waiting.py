"""The one way to wait for what comes soon."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60.0
"""How long a test waits for what comes soon, but for a machine that has stood still."""


async def eventually(holds: Callable[[], Awaitable[bool]], *, what: str, within: float = PATIENCE_SECONDS) -> None:
    """Waits until something holds: the only way in which a test waits."""
    ends = time.monotonic() + within
    while not await holds():
        assert time.monotonic() < ends, f"expected within {within} s: {what}"
        await asyncio.sleep(0.02)
