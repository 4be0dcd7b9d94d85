"""kill -9 at each named crash point."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from tests.faults.crash_points import POINTS
from tests.faults.fault import Scene, fault

FIRING_SECONDS = 12.0
"""Within this time an armed process must have died at its point."""
MOST_PASSES = 3
POLL_SECONDS = 0.05


def _crash(point: str) -> None:
    @fault(f"crash {point}", f"kill -9 at a point: {point}; and at others in the other processes", crash_point=point)
    async def inject(scene: Scene) -> AsyncIterator[None]:
        before = scene.world.crashes()
        armed = [point, *_others(scene, point)]
        await asyncio.gather(*(scene.world.arm(each, scene.chance.randint(1, MOST_PASSES)) for each in armed))
        ends = time.monotonic() + FIRING_SECONDS
        while (left := _unfired(scene, armed, before)) and time.monotonic() < ends:
            if any(each.startswith("decay") for each in left):
                await scene.load.decay(days=1)
            await asyncio.sleep(POLL_SECONDS)
        yield
        await asyncio.gather(*(scene.world.restart(POINTS[each].process) for each in left))


def _others(scene: Scene, point: str) -> list[str]:
    """Returns one point of each other process, the least fired ones first: all of them must fire often."""
    fired = scene.world.crashes()
    names = list(POINTS)
    scene.chance.shuffle(names)
    by_process = {POINTS[name].process: name for name in sorted(names, key=lambda name: -fired[name])}
    return [name for process, name in by_process.items() if process != POINTS[point].process]


def _unfired(scene: Scene, armed: list[str], before: Counter[str]) -> list[str]:
    return [each for each in armed if scene.world.crashes()[each] == before[each]]


for _point in POINTS:
    _crash(_point)
