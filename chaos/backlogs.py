"""Compares the backlog that the services report with what is known to be waiting."""

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


class _Waiting(NamedTuple):
    row_id: str
    since: datetime


async def record_event_backlog(world: World, visible_age: timedelta) -> bool:
    """Records what GetScoringBacklog returns while events wait.

    Returns whether an event had waited for at least `visible_age`.
    """
    ids = [row["_id"] async for row in world.database["events"].find({"state": "pending"}, {"_id": 1})]
    known = {each for each in ids if each in world.journal.acknowledged_at}
    stub: scoring_pb2_grpc.ScoringServiceAsyncStub = scoring_pb2_grpc.ScoringServiceStub(world.channel("scoring"))
    observe_time = datetime.now(UTC)
    try:
        answer = await stub.GetScoringBacklog(scoring_pb2.GetScoringBacklogRequest(), timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    # An event that is pending before and after the call was pending during it.
    still = world.database["events"].find({"_id": {"$in": list(known)}, "state": "pending"}, {"_id": 1})
    # By the clients' clock, because the times that the services write are what is being checked.
    waiting = [_Waiting(row["_id"], world.journal.acknowledged_at[row["_id"]]) async for row in still]
    shown = answer.oldest_accept_time if answer.pending_events else None
    return _record(world, "event", waiting, shown, observe_time, visible_age)


async def record_automation_backlog(world: World, visible_age: timedelta) -> tuple[bool, bool]:
    """Records what GetAutomationBacklog returns while the automation worker is paused.

    Returns whether a change, and whether a delivery, had waited for at least `visible_age`.
    """
    stub: automation_pb2_grpc.AutomationServiceAsyncStub = automation_pb2_grpc.AutomationServiceStub(
        world.channel("automation")
    )
    observe_time = datetime.now(UTC)
    changes = [each async for each in _changes(world)]
    deliveries = [each async for each in _due(world, observe_time)]
    answer = automation_pb2.GetAutomationBacklogResponse()
    with contextlib.suppress(grpc.aio.AioRpcError):  # a failed call counts as an empty response
        answer = await stub.GetAutomationBacklog(automation_pb2.GetAutomationBacklogRequest(), timeout=CALL_SECONDS)
    of_changes = answer.oldest_change_time if answer.pending_changes else None
    of_deliveries = answer.oldest_due_time if answer.due_deliveries else None
    return (
        _record(world, "change", changes, of_changes, observe_time, visible_age),
        _record(world, "delivery", deliveries, of_deliveries, observe_time, visible_age),
    )


async def _changes(world: World) -> AsyncIterator[_Waiting]:
    async for row in world.database["score_changes"].find({"state": "pending"}, {"record_time": 1}):
        yield _Waiting(row["_id"], row["record_time"] - world.clock_ahead)


async def _due(world: World, now: datetime) -> AsyncIterator[_Waiting]:
    async for row in world.database["automation_executions"].find({"state": "pending"}, {"deliveries": 1}):
        for each in row["deliveries"]:
            due = each["due_time"] - world.clock_ahead
            if each["state"] == "pending" and due <= now:
                yield _Waiting(each["delivery_id"], due)


def _record(
    world: World,
    what: str,
    waiting: list[_Waiting],
    shown: Timestamp | None,
    observe_time: datetime,
    visible_age: timedelta,
) -> bool:
    if not waiting:
        return False
    row_id, since = min(waiting, key=lambda each: each.since)
    shown_since = wire.to_time(shown) - world.clock_ahead if shown is not None else None
    world.journal.backlogs.append(Backlog(what, row_id, since, shown_since, observe_time, visible_age))
    return observe_time - since >= visible_age
