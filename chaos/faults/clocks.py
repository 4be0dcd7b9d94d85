"""Faults of clocks: midnight, a clock that goes back, and a clock that is far ahead."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from chaos import clock
from chaos.bystanders import bystanders
from chaos.fault import Scene, fault
from chaos.receipts import GOOD, HOSTILE
from shared import wire
from testkit.receiver import answering

YEAR = timedelta(days=365)
REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}
CALL_SECONDS = 30.0


@fault("midnight", "midnight passes between the attempts of a delivery, and while changes wait")
async def midnight(scene: Scene) -> None:
    """Executions keep the date of their change. The clock stays ahead after the round."""
    world = scene.world
    world.receipts.answer(GOOD, answering(503), 503)
    try:
        now = wire.now() + world.clock_ahead
        left = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now
        ahead = scene.chance.uniform(1.0, 2.0)
        world.set_clock(world.clock_ahead + left - timedelta(seconds=ahead))
        async with scene.load.feeding(), world.must_be_called(GOOD):
            await asyncio.sleep(ahead / 2)
            async with world.processes.frozen("automation-worker"):
                await asyncio.sleep(ahead)
    finally:
        world.receipts.answer(GOOD, answering(200), 200)


@fault("an hour back", "the clock of every process goes back by an hour, and forward again")
async def an_hour_back(scene: Scene) -> None:
    """Deliveries that were due become due again when the clock is correct."""
    world, right = scene.world, scene.world.clock_ahead
    world.receipts.answer(HOSTILE, answering(503), 503)
    try:
        world.set_clock(right - timedelta(hours=1))
        async with scene.load.feeding(), world.must_be_called(HOSTILE):
            await asyncio.sleep(scene.chance.uniform(1.0, 2.0))
            world.processes.kill(scene.chance.choice(world.processes.names))
    finally:
        world.receipts.answer(HOSTILE, answering(200), 200)
        world.set_clock(right)


@fault("decay a year ahead", "the clock of the scoring server is a year ahead when decay runs")
async def decay_a_year_ahead(scene: Scene) -> None:
    """A date that MongoDB's clock has not reached is refused, whatever the server's clock says."""
    world = scene.world
    ahead = world.hang_file.with_name("clock-ahead")
    clock.set_clock(ahead, YEAR)
    await world.processes.restart("scoring", clock.environment(ahead))
    try:
        async with bystanders(scene, "ahead", "decay a year ahead"):
            for as_of in (datetime.now(UTC) + YEAR - timedelta(hours=1), datetime.now(UTC) + timedelta(days=2)):
                await _refused(scene, as_of)
            # Without a date, the run may fail or decay through today; `history.decayed_ahead` checks the result.
            await _code_of(scene, None)
    finally:
        await world.processes.restart("scoring")


async def _refused(scene: Scene, as_of: datetime) -> None:
    code = await _code_of(scene, as_of)
    if code not in REFUSED:
        scene.world.findings.add("I12", f"decay to the future date {as_of:%Y-%m-%d} ended with {code.name}")


async def _code_of(scene: Scene, as_of: datetime | None) -> grpc.StatusCode:
    request = scoring_pb2.DecayScoresRequest()
    if as_of is not None:
        request.as_of_time.CopyFrom(wire.to_timestamp(as_of))
    stub: scoring_pb2_grpc.ScoringServiceAsyncStub = scoring_pb2_grpc.ScoringServiceStub(scene.world.channel("scoring"))
    try:
        async for _ in stub.DecayScores(request, timeout=CALL_SECONDS):
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
