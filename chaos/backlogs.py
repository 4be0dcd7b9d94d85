"""What the services say of what waits, beside what is known without them."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.automation.v1 import automation_pb2, automation_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from chaos.journal import Backlog
from chaos.world import World
from shared import wire

CALL_SECONDS = 5.0


class _Waits(NamedTuple):
    row_id: str
    since: datetime


async def look_at_events(world: World, visible_age: timedelta) -> bool:
    """Enters what GetScoringBacklog says while events wait, and tells whether one had waited for so long."""
    ids = [row["_id"] async for row in world.database["events"].find({"state": "pending"}, {"_id": 1})]
    known = {each for each in ids if each in world.journal.acknowledged_at}
    stub: scoring_pb2_grpc.ScoringServiceAsyncStub = scoring_pb2_grpc.ScoringServiceStub(world.channel("scoring"))
    look_time = datetime.now(UTC)
    try:
        answer = await stub.GetScoringBacklog(scoring_pb2.GetScoringBacklogRequest(), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    # What waits after the answer as well waited while it was made.
    still = world.database["events"].find({"_id": {"$in": list(known)}, "state": "pending"}, {"_id": 1})
    # By the clients' clock: what a service writes of its rows is what is looked into.
    waits = [_Waits(row["_id"], world.journal.acknowledged_at[row["_id"]]) async for row in still]
    shown = answer.oldest_accept_time if answer.pending_events else None
    return _enter(world, "event", waits, shown, look_time, visible_age)


async def look_at_automation(world: World, visible_age: timedelta) -> tuple[bool, bool]:
    """Enters what GetAutomationBacklog says while the automation worker is paused.

    Tells whether a change, and whether a delivery, had waited for so long.
    """
    stub: automation_pb2_grpc.AutomationServiceAsyncStub = automation_pb2_grpc.AutomationServiceStub(
        world.channel("automation")
    )
    look_time = datetime.now(UTC)
    changes = [each async for each in _changes(world)]
    deliveries = [each async for each in _due(world, look_time)]
    answer = automation_pb2.GetAutomationBacklogResponse()
    with contextlib.suppress(grpc.aio.AioRpcError):  # whoever does not answer shows nothing
        answer = await stub.GetAutomationBacklog(automation_pb2.GetAutomationBacklogRequest(), timeout=CALL_SECONDS)
    of_changes = answer.oldest_change_time if answer.pending_changes else None
    of_deliveries = answer.oldest_due_time if answer.due_deliveries else None
    return (
        _enter(world, "change", changes, of_changes, look_time, visible_age),
        _enter(world, "delivery", deliveries, of_deliveries, look_time, visible_age),
    )


async def _changes(world: World) -> AsyncIterator[_Waits]:
    async for row in world.database["score_changes"].find({"state": "pending"}, {"record_time": 1}):
        yield _Waits(row["_id"], row["record_time"] - world.clock_ahead)


async def _due(world: World, now: datetime) -> AsyncIterator[_Waits]:
    async for row in world.database["automation_executions"].find({"state": "pending"}, {"deliveries": 1}):
        for each in row["deliveries"]:
            due = each["due_time"] - world.clock_ahead
            if each["state"] == "pending" and due <= now:
                yield _Waits(each["delivery_id"], due)


def _enter(
    world: World,
    what: str,
    waits: list[_Waits],
    shown: Timestamp | None,
    look_time: datetime,
    visible_age: timedelta,
) -> bool:
    if not waits:
        return False
    row_id, since = min(waits, key=lambda each: each.since)
    shown_since = wire.to_time(shown) - world.clock_ahead if shown is not None else None
    world.journal.backlogs.append(Backlog(what, row_id, since, shown_since, look_time, visible_age))
    return look_time - since >= visible_age
