"""When the harness itself did not come to run: what it measures then is its own lateness."""

import asyncio
import time

LOOK_SECONDS = 0.05
"""How often it is looked; a shorter stall is not seen."""


class Stalls:
    """How late the event loop was, and when."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Looks, for ever."""
        while True:
            due = time.monotonic() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if now - due > LOOK_SECONDS:
                self._late.append((now, now - due))

    def since(self, began: float) -> float:
        """Returns for how many seconds the loop stood still since a time of the monotonic clock."""
        return sum(min(seconds, ended - began) for ended, seconds in self._late if ended > began)
