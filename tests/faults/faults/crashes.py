"""kill -9 at each named crash point."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from itertools import count

from tests.faults.crash_points import POINTS
from tests.faults.fault import Scene, fault

FIRING_SECONDS = 12.0
"""Within this time an armed process must have died at its point."""
MOST_PASSES = 3
SHARE = 1 / 4
"""Of the points of each process: so many fire in each round, so that all of them fire about equally often."""
POLL_SECONDS = 0.05
FEED_SECONDS = 0.3
FEED_EVENTS = 5
"""Enough for a new lead to come to the score at which the rules fire."""


def _crash(point: str) -> None:
    @fault(f"crash {point}", f"kill -9 at a point: {point}; and at others, in all processes", crash_point=point)
    async def inject(scene: Scene) -> AsyncIterator[None]:
        processes = sorted({each.process for each in POINTS.values()})
        async with _fed(scene):
            await asyncio.gather(*(_crash_often(scene, process, point) for process in processes))
        yield


@contextlib.asynccontextmanager
async def _fed(scene: Scene) -> AsyncIterator[None]:
    """Sends events of new leads: a rule fires once for each, and without executions some points are never passed."""
    is_over = False

    async def feed() -> None:
        for number in count():
            if is_over:
                return
            await scene.load.send(scene.load.make(FEED_EVENTS, lead=f"new-{number}"))
            await asyncio.sleep(FEED_SECONDS)

    feeding = asyncio.create_task(feed())
    try:
        yield
    finally:
        is_over = True
        await feeding


async def _crash_often(scene: Scene, process: str, first: str) -> None:
    names = [name for name, point in POINTS.items() if point.process == process]
    for number in range(math.ceil(SHARE * len(names))):
        fired = scene.world.crashes()
        rarest = min(names, key=lambda name: (fired[name], scene.chance.random()))
        await _crash_at(scene, first if first in names and number == 0 else rarest)


async def _crash_at(scene: Scene, point: str) -> None:
    """Arms the process of a point and waits until it has died there; if it does not, it is disarmed."""
    before, ends = scene.world.crashes()[point], time.monotonic() + FIRING_SECONDS
    await scene.world.arm(point, scene.chance.randint(1, MOST_PASSES))
    while scene.world.crashes()[point] == before:
        if time.monotonic() > ends:
            await scene.world.restart(POINTS[point].process)
            return
        if point.startswith("decay"):
            await scene.load.decay(days=1)
        await asyncio.sleep(POLL_SECONDS)


for _point in POINTS:
    _crash(_point)
