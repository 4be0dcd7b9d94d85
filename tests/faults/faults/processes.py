"""Services and workers are killed, paused, and restarted."""

import asyncio
from collections.abc import AsyncIterator

from tests.e2e.load import RETRIED
from tests.faults.fault import Scene, fault
from tests.faults.load import CALL_SECONDS
from tests.system import SERVERS, WORKERS

RESTART_SECONDS = 20.0
"""The deadline of calls while servers start again: a client that waits for less than that sees that they are away."""
STREAMS = ("DecayScores",)
"""gRPC does not repeat them once they have begun."""
PAUSE_SECONDS = 6.0
"""Longer than the lease of a partition, and than the heartbeat that worlds have."""


def _killed(name: str) -> None:
    @fault(f"kill {name}", f"kill -9 of {name}, once or twice, at random times")
    async def inject(scene: Scene) -> AsyncIterator[None]:
        for _ in range(scene.chance.choice((1, 1, 2))):
            await asyncio.sleep(scene.chance.uniform(0, 1.0))
            scene.world.kill(name)
        yield


for _name in (*SERVERS, *WORKERS):
    _killed(_name)


@fault("kill all", "kill -9 of every service and worker at once")
async def kill_all(scene: Scene) -> AsyncIterator[None]:
    """They all die together."""
    scene.world.kill(*SERVERS, *WORKERS)
    yield


@fault(
    "pause a worker",
    "SIGSTOP of a worker past its heartbeat and its leases, so that others get its work",
)
async def pause_a_worker(scene: Scene) -> AsyncIterator[None]:
    """A second worker takes over what the paused one has; then both go on."""
    name = scene.chance.choice(WORKERS)
    async with scene.world.further(f"{name}-2"):
        await asyncio.sleep(1.5)  # until it works
        async with scene.world.frozen(name):
            await asyncio.sleep(PAUSE_SECONDS)
        yield


@fault("pause a server", "SIGSTOP of a server for a second or two")
async def pause_a_server(scene: Scene) -> AsyncIterator[None]:
    """Its callers wait."""
    async with scene.world.frozen(scene.chance.choice(SERVERS)):
        await asyncio.sleep(scene.chance.uniform(0.5, 2.5))
    yield


@fault("rolling restart", "SIGTERM and start of each process in turn")
async def rolling_restart(scene: Scene) -> AsyncIterator[None]:
    """One after the other, as an upgrade does; the documented retries are all that clients need, but for streams."""
    names, calls = [*SERVERS, *WORKERS], scene.world.journal.calls
    scene.load.call_seconds = RESTART_SECONDS
    await asyncio.sleep(CALL_SECONDS)  # until those with the shorter deadline are over
    scene.chance.shuffle(names)
    before = len(calls)
    for name in names:
        await scene.world.restart(name)
    yield
    await asyncio.sleep(1.0)  # what was under way is in the journal by then
    sent = [call for call in calls[before:] if call.method not in STREAMS]
    for method, code in sorted({(call.method, call.code.name) for call in sent if call.code in RETRIED}):
        scene.world.violations.append(("I15", f"{method} ended with {code} although only one server stopped at a time"))
