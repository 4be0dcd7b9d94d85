"""The drill of docs/recovery.md: a restored database sends nothing again, and ends up with every score right."""

import asyncio
import shutil
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pymongo
import pytest
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2

from shared import wire
from testkit.receiver import SECRET, Receiver, answering, receiving
from testkit.system import System, running_system
from testkit.traffic import all_scored, scores, send, violations
from testkit.waiting import eventually

LEADS = 5
EXECUTIONS = 2 * LEADS
"""The rule fires once for each lead, and half of the leads are there before the backup."""


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = {"LEADSCORE_DELIVERY_SCHEDULE": ",".join(["0.5"] * 200)}
    with running_system(tmp_path_factory.mktemp("restore"), settings=settings) as system:
        yield system


async def test_a_restored_system_delivers_nothing_again_until_it_is_released(system: System, tmp_path: Path) -> None:
    async with receiving() as receiver:
        await _create_rule(system, receiver.url())
        receiver.behaviour = answering(503)
        before, after = _events("before"), _events("after")
        await send(system, before)
        await _requests(receiver, {event.lead_id for event in before})
        await asyncio.to_thread(_back_up, system, tmp_path / "backup")

        receiver.behaviour = answering(200)
        await send(system, after)
        await _delivered(system, EXECUTIONS)
        expected = await scores(system)
        delivered = len(receiver.requests)

        await _restore(system, tmp_path / "backup")
        assert await send(system, before) == {ingest_pb2.OUTCOME_DUPLICATE: len(before)}
        assert await send(system, after) == {ingest_pb2.OUTCOME_ACCEPTED: len(after)}
        await _evaluated(system)
        assert (await _backlog(system)).hold.reason == "a restore"

        async def all_are_due() -> bool:
            return (await _backlog(system)).due_deliveries == EXECUTIONS

        # A worker of the backup may have been at an attempt: such a delivery is due when its claim has ended.
        await eventually(all_are_due, what="every delivery is due")
        assert len(receiver.requests) == delivered, "something was delivered although deliveries are on hold"
        assert await scores(system) == expected
        assert await violations(system) == []

        request = pb.ReleaseDeliveriesRequest(actor="grace", cancel_recorded_before=wire.to_timestamp(wire.now()))
        released = await system.automation().ReleaseDeliveries(request, timeout=30)
        assert released == pb.ReleaseDeliveriesResponse(cancelled_count=EXECUTIONS, released=True)
        await send(system, _events("new"))
        await _requests(receiver, {event.lead_id for event in _events("new")})
        again = [request for request in receiver.requests[delivered:] if b"new-" not in request.body]
        assert not again, f"expected only the new leads after the release, not {again[0].body!r}"


def _events(name: str) -> list[ingest_pb2.Event]:
    time = wire.now() - timedelta(minutes=1)
    return [
        ingest_pb2.Event(
            event_id=f"{name}-{number}",
            lead_id=f"{name}-lead-{number % LEADS}",
            event_type="demo_request",
            event_time=wire.to_timestamp(time + timedelta(seconds=number)),
        )
        for number in range(2 * LEADS)
    ]


async def _create_rule(system: System, url: str) -> None:
    rule = pb.AutomationRule(rule_id="call", enabled=True)
    rule.trigger.event_received.event_type = "demo_request"
    rule.actions.add(action_id="crm").webhook.MergeFrom(pb.Webhook(url=url, secrets=[SECRET]))
    await system.automation().CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=rule), timeout=30)


async def _requests(receiver: Receiver, lead_ids: Collection[str]) -> None:
    """Waits until there was an attempt for each of the leads."""

    async def is_complete() -> bool:
        return all(any(lead_id.encode() in each.body for each in receiver.requests) for lead_id in lead_ids)

    await eventually(is_complete, what=f"an attempt for each of {', '.join(sorted(lead_ids))}")


async def _delivered(system: System, count: int) -> None:
    """Waits until so many executions are delivered."""

    async def is_complete() -> bool:
        request = pb.ListAutomationExecutionsRequest(state=pb.EXECUTION_STATE_DELIVERED, page_size=500)
        found = await system.automation().ListAutomationExecutions(request, timeout=30)
        return len(found.executions) == count

    await eventually(is_complete, what="all deliveries have arrived")


async def _evaluated(system: System) -> None:
    await all_scored(system)

    async def none_pending() -> bool:
        return (await _backlog(system)).pending_changes == 0

    await eventually(none_pending, what="rules are evaluated at all changes")


async def _backlog(system: System) -> pb.GetAutomationBacklogResponse:
    return await system.automation().GetAutomationBacklog(pb.GetAutomationBacklogRequest(), timeout=30)


def _back_up(system: System, to: Path) -> None:
    """Copies the files of mongod while it is locked, as a snapshot of its file system would."""
    with pymongo.MongoClient[dict[str, Any]](system.mongo.uri) as client:
        client.admin.command("fsync", lock=True)
        try:
            shutil.copytree(system.mongo.data_dir, to, ignore=shutil.ignore_patterns("*.sock", "mongod.lock"))
        finally:
            client.admin.command("fsyncUnlock")


async def _restore(system: System, backup: Path) -> None:
    """Replaces the files of mongod by the backup. Redis keeps its doorbells, which are ahead of the database then."""
    await system.close_channels()
    system.stop_all()
    system.mongo.stop()
    shutil.rmtree(system.mongo.data_dir)
    shutil.copytree(backup, system.mongo.data_dir)
    system.mongo.start()
    system.migrate()
    system.run("automation", "hold")
    system.start_all()
