"""MongoDB dies, freezes, changes its primary, or has no majority."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

from pymongo.errors import PyMongoError

from tests.faults.fault import Scene, fault
from tests.faults.servers import Member

TRANSIENT = (91, 189, 11600, 11602, 10107)
"""The codes of ShutdownInProgress, PrimarySteppedDown, InterruptedAtShutdown and the like."""


@fault("mongod killed", "the only mongod is killed, and back after a while")
async def killed(scene: Scene) -> AsyncIterator[None]:
    """It recovers from its journal."""
    await _killed_for(scene, scene.world.mongo.members[0])
    yield


@fault("mongod frozen", "SIGSTOP of the only mongod for some seconds")
async def frozen(scene: Scene) -> AsyncIterator[None]:
    """Every call waits for its deadline."""
    await _frozen_for(scene.world.mongo.members[0], scene.chance.uniform(1.0, 7.0))
    yield


@fault("primary killed", "the primary of three is killed, and back after a while", members=3)
async def primary_killed(scene: Scene) -> AsyncIterator[None]:
    """The others elect a new one."""
    await _killed_for(scene, await asyncio.to_thread(scene.world.mongo.primary))
    yield


@fault("primary killed ahead", "the primary of three is killed with writes that the others have not got", members=3)
async def primary_killed_ahead(scene: Scene) -> AsyncIterator[None]:
    """They are gone when it is back: nobody may have been told of them."""
    primary, others = await asyncio.to_thread(scene.world.mongo.primary_and_secondaries)
    with contextlib.ExitStack() as lagging:
        for member in others:
            lagging.enter_context(member.lagging())
        await asyncio.sleep(scene.chance.uniform(0.5, 1.5))
        primary.kill()
    await asyncio.to_thread(scene.world.mongo.primary)
    await asyncio.to_thread(primary.start)
    yield


@fault("primary frozen", "the primary of three is frozen past an election, and thawed", members=3)
async def primary_frozen(scene: Scene) -> AsyncIterator[None]:
    """For a moment there are two that think they are primary."""
    await _frozen_for(await asyncio.to_thread(scene.world.mongo.primary), scene.chance.uniform(3.0, 6.0))
    yield


@fault("primary steps down", "the primary of three is told to step down, again and again", members=3)
async def primary_steps_down(scene: Scene) -> AsyncIterator[None]:
    """Elections without any death."""
    for _ in range(scene.chance.randrange(1, 4)):
        primary = await asyncio.to_thread(scene.world.mongo.primary)
        with contextlib.suppress(PyMongoError):
            await asyncio.to_thread(primary.command, {"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2})
        await asyncio.sleep(scene.chance.uniform(0.2, 1.0))
    yield


@fault("two of three down", "two members of three are killed: there is no majority", members=3)
async def two_of_three_down(scene: Scene) -> AsyncIterator[None]:
    """Nothing can be acknowledged until one is back."""
    members = scene.chance.sample(scene.world.mongo.members, 2)
    for member in members:
        member.kill()
    await asyncio.sleep(scene.chance.uniform(1.0, 5.0))
    yield
    for member in members:
        await asyncio.to_thread(member.start)
    await asyncio.to_thread(scene.world.mongo.primary)


@fault("transient errors", "one command of five fails with an error of a failover")
async def transient_errors(scene: Scene) -> AsyncIterator[None]:
    """Reads, writes, and whatever belongs to transactions."""
    commands = ["find", "insert", "update", "aggregate", "getMore", "commitTransaction"]
    code = scene.chance.choice(TRANSIENT)
    with scene.world.mongo.failing(commands, {"activationProbability": 0.2}, errorCode=code):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))
        yield


@fault("connections closed", "one command of five closes its connection in the place of an answer")
async def connections_closed(scene: Scene) -> AsyncIterator[None]:
    """Nothing was done, but nobody can know."""
    commands = ["find", "insert", "update", "aggregate", "commitTransaction"]
    with scene.world.mongo.failing(commands, {"activationProbability": 0.2}, closeConnection=True):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))
        yield


@fault("commit unconfirmed", "half of all commits are done, and answered with an error of the write concern")
async def commit_unconfirmed(scene: Scene) -> AsyncIterator[None]:
    """The outcome is unknown: it must be asked for again."""
    unconfirmed = {"code": 91, "errmsg": "the majority is away"}
    mode = {"activationProbability": 0.5}
    with scene.world.mongo.failing(["commitTransaction", "insert"], mode, writeConcernError=unconfirmed):
        await asyncio.sleep(scene.chance.uniform(2.0, 4.0))
        yield


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
