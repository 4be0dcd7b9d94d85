"""Faults that kill a process at each named crash point."""

import asyncio
import math
import time

from chaos.crash_points import POINTS
from chaos.fault import Scene, fault

FIRING_SECONDS = 20.0
"""The time within which an armed process must die at its point."""
MAX_PASSES = 3
OF_EVENTS = {name: point for name, point in POINTS.items() if point.process != "admin"}
"""The points on the path of an event; those of an erasure have a fault of their own."""
SHARE = 1 / 4
"""The share of each process's points that fire in a round; the rarest fire first, so all fire about equally often."""
POLL_SECONDS = 0.05


def _crash(point: str) -> None:
    @fault(f"crash {point}", f"kill -9 at this point: {point}; and at other points of all processes", crash_point=point)
    async def inject(scene: Scene) -> None:
        processes = sorted({each.process for each in OF_EVENTS.values()})
        async with scene.load.feeding():
            await asyncio.gather(*(_crash_often(scene, process, point) for process in processes))


async def _crash_often(scene: Scene, process: str, first: str) -> None:
    names = [name for name, point in OF_EVENTS.items() if point.process == process]
    for number in range(math.ceil(SHARE * len(names))):
        fired = scene.world.crashes()
        rarest = min(names, key=lambda name: (fired[name], scene.chance.random()))
        point = first if first in names and number == 0 else rarest
        has_fired = await _crash_at(scene, point, scene.chance.randint(1, MAX_PASSES))
        # One more attempt at the round's own point: on a busy machine it is passed rarely.
        if point == first and not has_fired and not await _crash_at(scene, point, 1):
            scene.world.findings.report_no_fault(f"{first!r} was not passed")


async def _crash_at(scene: Scene, point: str, fatal_pass: int) -> bool:
    """Arms the process of a point; returns whether it died there, and disarms it if it did not."""
    before = scene.world.crashes()[point]
    await scene.world.processes.arm(point, fatal_pass)
    ends = time.monotonic() + FIRING_SECONDS
    while scene.world.crashes()[point] == before:
        if time.monotonic() > ends:
            await scene.world.processes.restart(POINTS[point].process)
            return False
        if point.startswith("decay"):
            await scene.load.decay(days=1)
        await asyncio.sleep(POLL_SECONDS)
    return True


for _point in OF_EVENTS:
    _crash(_point)
