"""MongoDB dies, freezes, changes its primary, or has no majority."""

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
"""Acknowledgements of what was confirmed before may come for so long."""
SLOW_MILLISECONDS = 200
SLOW_SECONDS = 10.0
"""A drain asks MongoDB some ten times, and what waits for one waits for the one before it, too."""
TRANSIENT = (91, 189, 11600, 11602, 10107)
"""The codes of ShutdownInProgress, PrimarySteppedDown, InterruptedAtShutdown and the like."""


@fault("mongod killed", "the only mongod is killed, and back after a while")
async def killed(scene: Scene) -> None:
    """It recovers from its journal."""
    await _killed_for(scene, scene.world.mongo.members[0])


@fault("mongod frozen", "SIGSTOP of the only mongod for some seconds")
async def frozen(scene: Scene) -> None:
    """Every call waits for its deadline."""
    await _frozen_for(scene.world.mongo.members[0], scene.chance.uniform(1.0, 7.0))


@fault("primary killed", "the primary of three is killed, and back after a while", members=3)
async def primary_killed(scene: Scene) -> None:
    """The others elect a new one."""
    async with _election(scene):
        await _killed_for(scene, await asyncio.to_thread(scene.world.mongo.primary))


@fault("primary killed ahead", "the primary of three is killed with writes that the others have not got", members=3)
async def primary_killed_ahead(scene: Scene) -> None:
    """They are gone when it is back: nobody may have been told of them."""
    async with _election(scene):
        primary, others = await asyncio.to_thread(scene.world.mongo.primary_and_secondaries)
        async with contextlib.AsyncExitStack() as lagging:
            for member in others:
                await lagging.enter_async_context(in_thread(member.lagging()))
            await asyncio.sleep(scene.chance.uniform(0.5, 1.5))
            primary.kill()
        await asyncio.to_thread(scene.world.mongo.primary)
        await asyncio.to_thread(primary.start)


@fault("primary frozen", "the primary of three is frozen past an election, and thawed", members=3)
async def primary_frozen(scene: Scene) -> None:
    """For a moment there are two that think they are primary."""
    async with _election(scene):
        await _frozen_for(await asyncio.to_thread(scene.world.mongo.primary), scene.chance.uniform(3.0, 6.0))


@fault("primary steps down", "the primary of three is told to step down, again and again", members=3)
async def primary_steps_down(scene: Scene) -> None:
    """Elections without any death."""
    async with _election(scene):
        for _ in range(scene.chance.randrange(1, 4)):
            primary = await asyncio.to_thread(scene.world.mongo.primary)
            with contextlib.suppress(PyMongoError):  # the connection dies with the step, or it is refused
                await asyncio.to_thread(primary.command, {"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2})
            await asyncio.sleep(scene.chance.uniform(0.2, 1.0))


@fault("two of three down", "two members of three are killed: there is no majority", members=3)
async def two_of_three_down(scene: Scene) -> None:
    """Nothing can be acknowledged until one is back."""
    members = scene.chance.sample(scene.world.mongo.members, 2)
    for member in members:
        member.kill()
    down_since = time.monotonic() + UNDERWAY_SECONDS
    await asyncio.sleep(scene.chance.uniform(1.0, 5.0))
    if any(each > down_since for each in scene.load.acknowledgements):
        scene.world.violations.append(("I1", "an event was acknowledged while there was no majority"))
    for member in members:
        await asyncio.to_thread(member.start)
    await asyncio.to_thread(scene.world.mongo.primary)


@fault("transient errors", "one command of five fails with an error of a failover")
async def transient_errors(scene: Scene) -> None:
    """Reads, writes, and whatever belongs to transactions."""
    commands = ["find", "insert", "update", "aggregate", "getMore", "commitTransaction"]
    code = scene.chance.choice(TRANSIENT)
    async with _failing(scene, commands, 0.2, errorCode=code):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))


@fault("connections closed", "one command of five closes its connection in the place of an answer")
async def connections_closed(scene: Scene) -> None:
    """Nothing was done, but nobody can know."""
    commands = ["find", "insert", "update", "aggregate", "commitTransaction"]
    async with _failing(scene, commands, 0.2, closeConnection=True):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))


@fault("commit unconfirmed", "half of all commits are done, and answered with an error of the write concern")
async def commit_unconfirmed(scene: Scene) -> None:
    """The outcome is unknown: it must be asked for again."""
    unconfirmed = {"code": 91, "errmsg": "the majority is away"}
    async with _failing(scene, ["commitTransaction", "insert"], 0.5, writeConcernError=unconfirmed):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))


@fault("mongod slow", f"one command of two takes {SLOW_MILLISECONDS} ms longer than it should")
async def slow(scene: Scene) -> None:
    """Everything takes longer; nothing is given up because of it, and health knows nothing of it."""
    commands = ["find", "insert", "update", "aggregate", "getMore", "commitTransaction"]
    async with (
        bystanders(scene, "slow", "mongod slow", allowed=SLOW_SECONDS, delivered=True),
        _failing(scene, commands, 0.5, blockConnection=True, blockTimeMS=SLOW_MILLISECONDS),
    ):
        await asyncio.sleep(scene.chance.uniform(4.0, 8.0))


@contextlib.asynccontextmanager
async def _failing(scene: Scene, commands: list[str], share: float, **data: Any) -> AsyncIterator[None]:
    """Lets a share of some commands fail while the block runs, and sees to it that some did."""
    mongo = scene.world.mongo
    before = await asyncio.to_thread(mongo.failures)
    async with in_thread(mongo.failing(commands, {"activationProbability": share}, **data)):
        yield
    if await asyncio.to_thread(mongo.failures) == before:
        scene.world.report_no_fault(f"none of {', '.join(commands)} failed")


@contextlib.asynccontextmanager
async def _election(scene: Scene) -> AsyncIterator[None]:
    """Sees to it that there was an election when the block has run."""
    mongo = scene.world.mongo
    before = await asyncio.to_thread(mongo.term)
    yield
    if await asyncio.to_thread(mongo.term) == before:
        scene.world.report_no_fault("there was no election")


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
