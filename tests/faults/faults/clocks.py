"""Clocks jump."""

import asyncio
from datetime import timedelta

from shared import wire
from tests.faults.fault import Scene, fault
from tests.faults.world import GOOD, HOSTILE
from tests.receiver import answering


@fault("midnight", "midnight comes between the attempts of a delivery and while changes wait")
async def midnight(scene: Scene) -> None:
    """Executions keep the date of their change. Time does not go back: the world lives on in the next day."""
    world = scene.world
    world.answer(GOOD, answering(503), 503)
    try:
        now = wire.now() + world.clock_ahead
        left = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now
        ahead = scene.chance.uniform(1.0, 2.0)
        world.set_clock(world.clock_ahead + left - timedelta(seconds=ahead))
        async with scene.load.feeding(), world.asked(GOOD):
            await asyncio.sleep(ahead / 2)
            async with world.frozen("automation-worker"):
                await asyncio.sleep(ahead)
    finally:
        world.answer(GOOD, answering(200), 200)


@fault("an hour back", "the clock of every process goes back by an hour, and forward again")
async def an_hour_back(scene: Scene) -> None:
    """What was due is due again when the clock is right."""
    world, right = scene.world, scene.world.clock_ahead
    world.answer(HOSTILE, answering(503), 503)
    try:
        world.set_clock(right - timedelta(hours=1))
        async with scene.load.feeding(), world.asked(HOSTILE):
            await asyncio.sleep(scene.chance.uniform(1.0, 2.0))
            world.kill(scene.chance.choice(world.processes))
    finally:
        world.answer(HOSTILE, answering(200), 200)
        world.set_clock(right)
