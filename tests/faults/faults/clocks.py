"""Clocks jump."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from shared import wire
from tests.faults.clock import set_clock
from tests.faults.fault import Scene, fault
from tests.faults.world import GOOD, HOSTILE
from tests.receiver import answering


@fault("midnight", "midnight comes between the attempts of a delivery and while changes wait")
async def midnight(scene: Scene) -> AsyncIterator[None]:
    """Executions keep the date of their change."""
    now = wire.now()
    left = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now
    scene.world.answer(GOOD, answering(503), 503)
    try:
        set_clock(scene.world.clock_file, left - timedelta(seconds=scene.chance.uniform(0.5, 2.0)))
        await asyncio.sleep(3)
        yield
    finally:
        scene.world.answer(GOOD, answering(200), 200)
        set_clock(scene.world.clock_file, timedelta())


@fault("an hour back", "the clock of every process goes back by an hour, and forward again")
async def an_hour_back(scene: Scene) -> AsyncIterator[None]:
    """What was due stays due."""
    scene.world.answer(HOSTILE, answering(503), 503)
    try:
        set_clock(scene.world.clock_file, timedelta(hours=-1))
        await asyncio.sleep(scene.chance.uniform(1.0, 2.0))
        scene.world.kill(scene.chance.choice(scene.world.processes))
        yield
    finally:
        scene.world.answer(HOSTILE, answering(200), 200)
        set_clock(scene.world.clock_file, timedelta())
