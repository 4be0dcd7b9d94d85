"""What operators do to MongoDB while events come in, or forget to do: restarts, index builds, a full disk."""

import asyncio
import resource
from collections.abc import Callable

from chaos.fault import Scene, fault
from chaos.servers import Member

SETTLE_SECONDS = 30.0
"""The limit for a member to end, or to return."""
INDEXED = ("events", "leads", "score_history", "score_changes", "automation_executions")
PRIMARY, SECONDARY = 1, 2


@fault("disk full", "no write of the only mongod reaches the disk any more, until it has ended and is restarted")
async def disk_full(scene: Scene) -> None:
    """It ends at the first write of its journal that fails. What it had acknowledged must be there afterwards."""
    member = scene.world.mongo.members[0]
    resource.prlimit(member.pid, resource.RLIMIT_FSIZE, (0, 0))
    if not await _until(lambda: not member.is_running()):
        scene.world.findings.report_no_fault("mongod went on without a disk")
        member.kill()
    await asyncio.sleep(scene.chance.uniform(0.2, 2.0))
    await asyncio.to_thread(member.start)


@fault("members restarted", "each of three members is restarted, the primary last, as for an update", members=3)
async def members_restarted(scene: Scene) -> None:
    """There is a majority all the time, so no call may fail for longer than an election takes."""
    primary, others = await asyncio.to_thread(scene.world.mongo.primary_and_secondaries)
    for member in others:
        await _restart(member)
    await asyncio.to_thread(primary.command, {"replSetStepDown": 30, "secondaryCatchUpPeriodSecs": 10})
    await _restart(primary)
    await asyncio.to_thread(scene.world.mongo.primary)


@fault("index build", f"indexes of {len(INDEXED)} collections are built and dropped")
async def index_build(scene: Scene) -> None:
    """The end of each build aborts the transactions that are running on the collection."""
    for _ in range(scene.chance.randrange(1, 4)):
        for name in INDEXED:
            collection = scene.world.database[name]
            await collection.create_index([("partition", 1), ("index_build", 1)], name="index_build")
            await collection.drop_index("index_build")


async def _restart(member: Member) -> None:
    # By default, a member that is stopped waits 15 s for its clients to leave.
    await asyncio.to_thread(member.command, {"setParameter": 1, "shutdownTimeoutMillisForSignaledShutdown": 500})
    await asyncio.to_thread(member.stop)
    await asyncio.to_thread(member.start)
    assert await _until(lambda: _state(member) in (PRIMARY, SECONDARY)), f"expected a member within {SETTLE_SECONDS} s"


def _state(member: Member) -> int:
    return int(member.command({"replSetGetStatus": 1})["myState"])


async def _until(holds: Callable[[], bool]) -> bool:
    """Waits until `holds` returns true, for up to `SETTLE_SECONDS`; returns whether it has."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True
