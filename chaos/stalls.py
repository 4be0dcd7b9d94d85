"""Measures how long the harness itself was not scheduled, so that its own delays are not blamed on the services."""

import asyncio
import time

LOOK_SECONDS = 0.05
"""The interval between measurements; shorter stalls are not detected."""


class Stalls:
    """Records when the event loop was late, and by how much."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Measures until it is cancelled."""
        while True:
            due = time.monotonic() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if now - due > LOOK_SECONDS:
                self._late.append((now, now - due))

    def since(self, began: float) -> float:
        """Returns for how many seconds the loop was stalled since `began` (monotonic clock)."""
        return sum(min(seconds, ended - began) for ended, seconds in self._late if ended > began)
