"""Faults of processes: services and workers are killed, paused and restarted."""

import asyncio
import signal
import time

from redis.asyncio import Redis

from chaos.fault import EVERY_METHOD, OF_INGEST, OF_INTELLIGENCE, OF_SCORING, Scene, fault
from chaos.findings import FAULT_SECONDS
from chaos.world import World
from testkit.system import SERVERS, WORKERS

EVERY_UNARY = set(EVERY_METHOD) - {"DecayScores"}
"""gRPC does not retry streams that have started."""
UNAFFECTED = {
    "ingest": (*OF_SCORING, *OF_INTELLIGENCE),
    "scoring": OF_INGEST,
    "intelligence": (*OF_INGEST, *OF_SCORING),
    "scoring-worker": EVERY_UNARY,  # a decay run can conflict with locks of the killed worker
}
"""The methods that must work while a process is down; every method for processes that are not listed."""
PAUSE_SECONDS = 6.0
"""Longer than the lease of a partition."""
BOTH_SECONDS = 1.0


def _killed(name: str) -> None:
    what = f"kill -9 of {name}, once or twice, at random times"

    @fault(f"kill {name}", what, unaffected=UNAFFECTED.get(name, EVERY_METHOD))
    async def inject(scene: Scene) -> None:
        for _ in range(scene.chance.choice((1, 1, 2))):
            await asyncio.sleep(scene.chance.uniform(0, 1.0))
            scene.world.processes.kill(name)


for _name in (*SERVERS, *WORKERS):
    _killed(_name)


@fault("kill all", "kill -9 of every service and worker at once")
async def kill_all(scene: Scene) -> None:
    """All processes die at the same time."""
    scene.world.processes.kill(*SERVERS, *WORKERS)


@fault(
    "pause a worker",
    "SIGSTOP of a worker until after its leases expire, so that others take over its work",
)
async def pause_a_worker(scene: Scene) -> None:
    """A second worker takes over the work of the paused one; then both continue."""
    world, name = scene.world, scene.chance.choice(WORKERS)
    async with scene.load.feeding():
        try:
            await _freeze_at_work(world, name)
            async with world.processes.extra_worker(f"{name}-2"):
                await asyncio.sleep(PAUSE_SECONDS)
                world.processes.system.signal(name, signal.SIGCONT)
                await asyncio.sleep(BOTH_SECONDS)
        finally:
            world.processes.system.signal(name, signal.SIGCONT)


async def _freeze_at_work(world: World, name: str) -> None:
    """Freezes the only worker of a kind while it holds a lease."""
    inbox, ends = "events" if name == "scoring-worker" else "score_changes", time.monotonic() + FAULT_SECONDS
    async with Redis.from_url(world.redis.url) as client:
        while time.monotonic() < ends:
            if await client.keys(f"leadscore:{inbox}:lease:*"):
                world.processes.system.signal(name, signal.SIGSTOP)
                if await client.keys(f"leadscore:{inbox}:lease:*"):
                    return
                world.processes.system.signal(name, signal.SIGCONT)
    world.findings.report_no_fault(f"{name} could not be frozen at work")


@fault("pause a server", "SIGSTOP of a server for a second or two")
async def pause_a_server(scene: Scene) -> None:
    """Callers wait."""
    async with scene.world.processes.frozen(scene.chance.choice(SERVERS)):
        await asyncio.sleep(scene.chance.uniform(0.5, 2.5))


@fault("rolling restart", "SIGTERM and start of each process in turn", unaffected=EVERY_UNARY)
async def rolling_restart(scene: Scene) -> None:
    """Restarts one process after the other, as an upgrade does. The documented retries suffice, except for streams."""
    names = [*SERVERS, *WORKERS]
    scene.chance.shuffle(names)
    for name in names:
        await scene.world.processes.restart(name)
