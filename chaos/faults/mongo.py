"""Faults of MongoDB: it is killed or frozen, changes its primary, has no majority, or returns errors."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

from pymongo.errors import PyMongoError

from chaos.bystanders import bystanders
from chaos.fault import Scene, fault
from chaos.servers import Member
from chaos.threads import in_thread

UNDERWAY_SECONDS = 0.5
"""How long acknowledgements of writes that were confirmed before the fault can still arrive."""
SLOW_MILLISECONDS = 200
SLOW_SECONDS = 10.0
"""The limit for bystanders: a drain sends about ten commands, and an event can wait for the drain before its own."""
TRANSIENT = (91, 189, 11600, 11602, 10107)
"""The codes of ShutdownInProgress, PrimarySteppedDown, InterruptedAtShutdown and the like."""


@fault("mongod killed", "the only mongod is killed and restarted")
async def killed(scene: Scene) -> None:
    """It recovers from its journal."""
    await _killed_for(scene, scene.world.mongo.members[0])


@fault("mongod frozen", "SIGSTOP of the only mongod for some seconds")
async def frozen(scene: Scene) -> None:
    """Calls wait until their deadline."""
    await _frozen_for(scene.world.mongo.members[0], scene.chance.uniform(1.0, 7.0))


@fault("primary killed", "the primary of three is killed and restarted", members=3)
async def primary_killed(scene: Scene) -> None:
    """The other members elect a new primary."""
    async with _election(scene):
        await _killed_for(scene, await asyncio.to_thread(scene.world.mongo.primary))


@fault("primary killed ahead", "the primary of three is killed with unreplicated writes", members=3)
async def primary_killed_ahead(scene: Scene) -> None:
    """The writes are rolled back when it returns, so no client may have got an acknowledgement for them."""
    async with _election(scene):
        primary, others = await asyncio.to_thread(scene.world.mongo.primary_and_secondaries)
        async with contextlib.AsyncExitStack() as lagging:
            for member in others:
                await lagging.enter_async_context(in_thread(member.lagging()))
            await asyncio.sleep(scene.chance.uniform(0.5, 1.5))
            primary.kill()
        await asyncio.to_thread(scene.world.mongo.primary)
        await asyncio.to_thread(primary.start)


@fault("primary frozen", "the primary of three is frozen until after an election", members=3)
async def primary_frozen(scene: Scene) -> None:
    """For a moment, two members consider themselves primary."""
    async with _election(scene):
        await _frozen_for(await asyncio.to_thread(scene.world.mongo.primary), scene.chance.uniform(3.0, 6.0))


@fault("primary steps down", "the primary of three steps down repeatedly", members=3)
async def primary_steps_down(scene: Scene) -> None:
    """Elections without a killed process."""
    async with _election(scene):
        for _ in range(scene.chance.randrange(1, 4)):
            primary = await asyncio.to_thread(scene.world.mongo.primary)
            with contextlib.suppress(PyMongoError):  # stepping down closes the connection, or is refused
                await asyncio.to_thread(primary.command, {"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2})
            await asyncio.sleep(scene.chance.uniform(0.2, 1.0))


@fault("two of three down", "two members of three are killed, which leaves no majority", members=3)
async def two_of_three_down(scene: Scene) -> None:
    """Nothing can be acknowledged until one of them is back."""
    members = scene.chance.sample(scene.world.mongo.members, 2)
    for member in members:
        member.kill()
    down_since = time.monotonic() + UNDERWAY_SECONDS
    await asyncio.sleep(scene.chance.uniform(1.0, 5.0))
    if any(each > down_since for each in scene.load.acknowledgements):
        scene.world.findings.add("I1", "an event was acknowledged while there was no majority")
    for member in members:
        await asyncio.to_thread(member.start)
    await asyncio.to_thread(scene.world.mongo.primary)


@fault("transient errors", "one command in five fails with a failover error")
async def transient_errors(scene: Scene) -> None:
    """Affects reads, writes and transactions."""
    commands = ["find", "insert", "update", "aggregate", "getMore", "commitTransaction"]
    code = scene.chance.choice(TRANSIENT)
    async with _failing(scene, commands, 0.2, errorCode=code):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))


@fault("connections closed", "one command in five closes its connection instead of replying")
async def connections_closed(scene: Scene) -> None:
    """The command was not executed, but the caller cannot know that."""
    commands = ["find", "insert", "update", "aggregate", "commitTransaction"]
    async with _failing(scene, commands, 0.2, closeConnection=True):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))


@fault("commit unconfirmed", "half of all commits succeed, but return a write concern error")
async def commit_unconfirmed(scene: Scene) -> None:
    """The outcome is unknown, so the caller must retry the commit."""
    unconfirmed = {"code": 91, "errmsg": "no majority is available"}
    async with _failing(scene, ["commitTransaction", "insert"], 0.5, writeConcernError=unconfirmed):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))


@fault("mongod slow", f"one command in two takes an additional {SLOW_MILLISECONDS} ms")
async def slow(scene: Scene) -> None:
    """Everything takes longer, but nothing fails, and health checks still succeed."""
    commands = ["find", "insert", "update", "aggregate", "getMore", "commitTransaction"]
    async with (
        bystanders(scene, "slow", "mongod slow", allowed=SLOW_SECONDS, delivered=True),
        _failing(scene, commands, 0.5, blockConnection=True, blockTimeMS=SLOW_MILLISECONDS),
    ):
        await asyncio.sleep(scene.chance.uniform(4.0, 8.0))


@contextlib.asynccontextmanager
async def _failing(scene: Scene, commands: list[str], share: float, **data: Any) -> AsyncIterator[None]:
    """Makes a share of some commands fail while the block runs; reports if none did."""
    mongo = scene.world.mongo
    before = await asyncio.to_thread(mongo.failures)
    async with in_thread(mongo.failing(commands, {"activationProbability": share}, **data)):
        yield
    if await asyncio.to_thread(mongo.failures) == before:
        scene.world.findings.report_no_fault(f"none of {', '.join(commands)} failed")


@contextlib.asynccontextmanager
async def _election(scene: Scene) -> AsyncIterator[None]:
    """Reports if there was no election while the block ran."""
    mongo = scene.world.mongo
    before = await asyncio.to_thread(mongo.term)
    yield
    if await asyncio.to_thread(mongo.term) == before:
        scene.world.findings.report_no_fault("there was no election")


async def _killed_for(scene: Scene, member: Member) -> None:
    member.kill()
    await asyncio.sleep(scene.chance.uniform(0.2, 2.0))
    await asyncio.to_thread(member.start)


async def _frozen_for(member: Member, seconds: float) -> None:
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        member.signal(signal.SIGCONT)
