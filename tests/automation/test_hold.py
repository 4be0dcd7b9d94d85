"""A hold: no attempt begins until it is released, and what is pending can be cancelled."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from unittest.mock import AsyncMock

import pytest
from leadscore.automation.v1 import automation_pb2 as pb

from automation_service.delivery import dispatcher
from automation_service.delivery.dispatcher import MAX_CLAIMED
from automation_service.delivery.endpoints import IN_FLIGHT
from automation_service.domain.delivery import ExecutionState
from automation_service.domain.execution import Execution
from automation_service.domain.hold import Hold
from automation_service.ports import HoldSwitch
from automation_service.store.executions import MongoExecutions
from automation_service.store.hold import MongoHold
from automation_service.usecases.hold import Holding
from shared.deadlines import deadline
from shared.mongo import Database
from shared.tasks import running
from testkit.waiting import eventually
from tests.automation.dispatching import Dispatching
from tests.automation.fake_stores import FakeRules
from tests.automation.fakes import NOW, FakeHold, FakeReceivers, change, executed, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.automation.servicer import Stub

HOLD = Hold(NOW, "restored", "grace")
CALL = rule("call", None, webhook())


@pytest.fixture(params=["memory", "mongodb"])
def switch(request: pytest.FixtureRequest, database: Database) -> HoldSwitch:
    return FakeHold() if request.param == "memory" else MongoHold(database)


@pytest.fixture
def executions(database: Database) -> MongoExecutions:
    return MongoExecutions(database, PARTITIONED)


async def test_a_hold_lasts_until_it_ends_and_the_first_one_counts(switch: HoldSwitch) -> None:
    assert await switch.read() is None
    assert await switch.begin(HOLD) == HOLD
    assert await switch.begin(Hold(NOW + timedelta(days=1), "again", "eve")) == HOLD
    assert await switch.read() == HOLD
    await switch.end()
    await switch.end()
    assert await switch.read() is None


async def test_nothing_is_attempted_during_a_hold_and_everything_after_it() -> None:
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers, executed(change(), CALL))
    await dispatching.switch.begin(HOLD)
    async with running(dispatching.dispatcher.run()):
        await dispatching.take([executed(change("bob"), CALL)])
        await _read_again(dispatching.switch)
        assert receivers.sent == []
        await dispatching.switch.end()

        async def both_sent() -> bool:
            return len(receivers.sent) > 1

        await eventually(both_sent, what="both deliveries are attempted")


async def test_a_hold_that_begins_later_stops_further_attempts() -> None:
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers, executed(change(), CALL))
    async with running(dispatching.dispatcher.run()):
        await dispatching.settles(1)
        await dispatching.switch.begin(HOLD)
        await _read_again(dispatching.switch)
        await dispatching.take([executed(change("bob"), CALL)])
        await _read_again(dispatching.switch)
    assert len(receivers.sent) == 1


async def test_a_hold_stops_a_worker_that_is_claiming_one_batch_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.0)
    rules = [rule(f"call-{number}", None, webhook(url=f"https://{number}.example/")) for number in range(IN_FLIGHT)]
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers, *(executed(change(), each) for each in rules), rules=FakeRules(*rules))
    monkeypatch.setattr(dispatching.switch, "read", AsyncMock(side_effect=chain([None], repeat(HOLD))))
    await dispatching.dispatcher._claim_all()

    async def all_are_sent() -> bool:
        return len(receivers.sent) >= MAX_CLAIMED

    await eventually(all_are_sent, what="what was claimed before the hold is sent")
    assert len(receivers.sent) == MAX_CLAIMED


async def test_cancelling_leaves_out_claims_and_later_executions(
    database: Database, executions: MongoExecutions
) -> None:
    switch = MongoHold(database)
    claimed = _at(executed(change("claimed"), CALL), NOW, lease="theirs", due=NOW + timedelta(seconds=9))
    lapsed = _at(executed(change("lapsed"), CALL), NOW, lease="dead", due=NOW)
    waiting = [_at(executed(change(f"waiting-{number}"), CALL), NOW) for number in range(3)]
    later = _at(executed(change("later"), CALL), NOW + timedelta(days=1))
    await executions.record([claimed, lapsed, *waiting, later])
    assert await switch.cancel(NOW + timedelta(hours=1), NOW) == 4
    assert await switch.cancel(NOW + timedelta(hours=1), NOW) == 0
    states = {each.key.lead_id: (await executions.get(each.execution_id)).state for each in [claimed, lapsed, later]}
    pending, cancelled = ExecutionState.PENDING, ExecutionState.CANCELLED
    assert states == {"claimed": pending, "lapsed": cancelled, "later": pending}
    assert {(await executions.get(each.execution_id)).state for each in waiting} == {cancelled}


async def test_a_release_without_time_stays_on_hold_and_says_so() -> None:
    class Endless(FakeHold):
        async def cancel(self, recorded_before: datetime, now: datetime) -> int:
            return 500

    switch = Endless()
    await switch.begin(HOLD)
    with deadline(1):
        assert await Holding(switch, lambda: NOW).release(NOW, "grace") == (500, False)
    assert await switch.read() == HOLD


async def test_a_release_without_a_hold_cancels_nothing(database: Database, executions: MongoExecutions) -> None:
    waiting = executed(change(), CALL)
    await executions.record([waiting])
    assert await Holding(MongoHold(database), lambda: NOW).release(NOW + timedelta(days=1), "grace") == (0, True)
    assert (await executions.get(waiting.execution_id)).state is ExecutionState.PENDING


async def test_the_rpcs_hold_and_release(stub: Stub) -> None:
    first = await stub.HoldDeliveries(pb.HoldDeliveriesRequest(reason="restored", actor="grace"))
    again = await stub.HoldDeliveries(pb.HoldDeliveriesRequest(reason="again", actor="eve"))
    assert (first.hold.reason, first.hold.actor) == ("restored", "grace")
    assert again == first
    released = await stub.ReleaseDeliveries(pb.ReleaseDeliveriesRequest(actor="grace"))
    assert released == pb.ReleaseDeliveriesResponse(released=True)


async def _read_again(switch: FakeHold) -> None:
    """Waits until the dispatcher has read the switch, and acted on it."""
    seen = switch.reads

    async def is_read_twice() -> bool:
        return switch.reads > seen + 1

    await eventually(is_read_twice, what="the dispatcher reads the switch")


def _at(execution: Execution, time: datetime, *, lease: str = "", due: datetime = NOW) -> Execution:
    deliveries = tuple(replace(each, lease=lease, due_time=due) for each in execution.deliveries)
    return replace(execution, record_time=time, deliveries=deliveries)
