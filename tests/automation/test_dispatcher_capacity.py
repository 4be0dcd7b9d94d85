"""How many attempts the dispatcher starts, and when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.delivery.dispatcher import CLAIM
from automation_service.delivery.endpoints import IN_FLIGHT, PER_ENDPOINT, PER_FAILING_ENDPOINT
from automation_service.domain.delivery import (
    Answer,
    ExecutionState,
    Fate,
    Schedule,
)
from shared.tasks import running
from testkit.waiting import eventually
from tests.automation.dispatching import Dispatching, UnresponsiveReceivers
from tests.automation.fake_stores import FakeRules
from tests.automation.fakes import NOW, FakeReceivers, change, executed, rule, webhook


async def test_a_new_delivery_starts_without_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers)

    async def never(*_: object) -> None:
        pytest.fail("expected no look for what is due")

    monkeypatch.setattr(dispatching.executions, "due", never)
    [recorded] = await dispatching.take([executed(change(), rule("call", None, webhook()))])
    assert recorded.deliveries[0].due_time == NOW + CLAIM, "expected it to be nobody else's until the claim lapses"
    await dispatching.settles(1)
    assert dispatching.delivery().state is ExecutionState.DELIVERED
    assert [sent.delivery_id for _, sent in receivers.sent] == [dispatching.delivery().delivery_id]


async def test_a_new_delivery_of_a_disabled_rule_is_cancelled() -> None:
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers, rules=FakeRules(rule("call", None, webhook(), enabled=False)))
    await dispatching.take([executed(change(), rule("call", None, webhook()))])

    async def is_cancelled() -> bool:
        return dispatching.delivery().state is ExecutionState.CANCELLED

    await eventually(is_cancelled, what="it is cancelled")
    assert receivers.sent == []


async def test_deliveries_beyond_the_capacity_are_started_later() -> None:
    receivers = UnresponsiveReceivers()
    receivers.free.set()
    several = PER_ENDPOINT + 30
    dispatching = Dispatching(receivers, rules=FakeRules(rule("call", None, webhook())))
    recorded = await dispatching.take(
        [executed(change(f"lead-{each}"), rule("call", None, webhook())) for each in range(several)]
    )
    leases = [each.deliveries[0].lease for each in recorded]
    assert (all(leases[:PER_ENDPOINT]), any(leases[PER_ENDPOINT:])) == (True, False)

    async def all_are_delivered() -> bool:
        return all(each.state is ExecutionState.DELIVERED for each in dispatching.executions.executions.values())

    async with running(dispatching.dispatcher.run()):
        await eventually(all_are_delivered, what="all are delivered")
    assert sum(receivers.begun.values()) == several


async def test_deliveries_admitted_by_concurrent_drains_wait_for_capacity() -> None:
    receivers, call = UnresponsiveReceivers(), rule("dead", None, webhook("dead", "https://dead.example/"))
    dispatching = Dispatching(receivers, rules=FakeRules(call))
    await dispatching.dispatcher.read_hold()
    drains = [
        dispatching.dispatcher.admit([executed(change(f"{drain}-{each}"), call) for each in range(PER_ENDPOINT)])
        for drain in range(3)
    ]
    for recorded in drains:
        assert all(each.deliveries[0].lease for each in recorded)
        await dispatching.executions.record(recorded)
        dispatching.dispatcher.begin(recorded)

    async def have_begun() -> bool:
        return receivers.begun.get("https://dead.example", 0) >= PER_ENDPOINT

    async def are_all_made() -> bool:
        return receivers.begun["https://dead.example"] == 3 * PER_ENDPOINT

    async with running(dispatching.dispatcher.run()):
        await eventually(have_begun, what="as many attempts as there is room for")
        assert receivers.begun["https://dead.example"] == PER_ENDPOINT
        receivers.free.set()
        await eventually(are_all_made, what="the others follow")


async def test_a_delivery_that_failed_when_it_was_recorded_is_not_attempted() -> None:
    failed = executed(change(), rule("call", None, webhook()))
    failed = replace(
        failed, deliveries=(failed.deliveries[0].settled(Answer(Fate.FINAL), NOW, timedelta(), Schedule(), 1),)
    )
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers)
    assert await dispatching.take([failed]) == [failed]
    assert receivers.sent == []


async def test_a_dead_endpoint_does_not_delay_the_others() -> None:
    dead, alive = webhook("dead", "https://dead.example/"), webhook("alive", "https://alive.example/")
    rules = [rule("dead", None, dead), rule("alive", None, alive)]
    # All that is due at the dead one comes first.
    executions = [executed(change(f"lead-{number}"), rules[0], NOW - timedelta(hours=1)) for number in range(200)]
    executions += [executed(change(f"lead-{number}"), rules[1]) for number in range(200)]
    receivers = UnresponsiveReceivers()
    dispatching = Dispatching(receivers, *executions, rules=FakeRules(*rules))

    async def all_alive_are_delivered() -> bool:
        return receivers.begun.get("https://alive.example", 0) == 200

    async with running(dispatching.dispatcher.run()):
        await eventually(all_alive_are_delivered, what="the living endpoint gets all that is its")
        assert receivers.begun["https://dead.example"] == PER_ENDPOINT < IN_FLIGHT
        receivers.begun.clear()
        receivers.free.set()

        async def all_dead_are_tried() -> bool:
            return receivers.begun.get("https://dead.example", 0) == 200 - PER_ENDPOINT

        await eventually(all_dead_are_tried, what="the rest is tried when it answers")


async def test_a_failing_endpoint_gets_few_concurrent_attempts() -> None:
    dead = rule("dead", None, webhook("dead", "https://dead.example/"))
    receivers = UnresponsiveReceivers()
    dispatching = Dispatching(receivers, executed(change(), dead), rules=FakeRules(dead))
    receivers.free.set()
    async with running(dispatching.dispatcher.run()):
        await dispatching.settles(1)
        receivers.free.clear()
        receivers.begun.clear()
        await dispatching.take([executed(change(f"lead-{number}"), dead) for number in range(50)])

        async def some_are_tried() -> bool:
            return receivers.begun.get("https://dead.example", 0) >= PER_FAILING_ENDPOINT

        await eventually(some_are_tried, what="the failing endpoint is tried")
        assert receivers.begun["https://dead.example"] == PER_FAILING_ENDPOINT
        receivers.free.set()
