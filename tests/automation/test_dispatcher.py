"""The dispatcher: attempts by the schedule, changed rules, failures."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.delivery.dispatcher import repair_due_times
from automation_service.domain.action import Action
from automation_service.domain.delivery import (
    ANSWER_BYTES,
    Answer,
    Delivery,
    ExecutionState,
    Fate,
)
from automation_service.domain.receiver import Slack
from shared.tasks import running
from testkit.waiting import eventually
from tests.automation.dispatching import GONE, LATER, Dispatching, UnresponsiveReceivers
from tests.automation.fake_stores import FakeRules
from tests.automation.fakes import NOW, FakeReceivers, change, executed, rule, webhook


async def test_a_delivery_is_retried_on_schedule_until_it_arrives() -> None:
    receivers = FakeReceivers(LATER, replace(LATER, retry_after=timedelta(hours=2)), Answer(Fate.ARRIVED, 200))
    dispatching = Dispatching(receivers, executed(change(), rule("call", None, webhook())))
    async with running(dispatching.dispatcher.run()):
        await dispatching.settles(1)
        assert timedelta(seconds=4.5) <= dispatching.delivery().due_time - NOW <= timedelta(seconds=5.5)
        dispatching.clock.now = dispatching.delivery().due_time
        await dispatching.settles(2)
        assert dispatching.delivery().due_time - dispatching.clock.now == timedelta(hours=2)
        dispatching.clock.now = dispatching.delivery().due_time
        await dispatching.settles(3)
    assert dispatching.delivery().state is ExecutionState.DELIVERED
    assert len({(sent.delivery_id, sent.body) for _, sent in receivers.sent}) == 1


async def test_a_delivery_fails_when_the_schedule_is_used_up() -> None:
    dispatching = Dispatching(FakeReceivers(LATER), executed(change(), rule("call", None, webhook())))
    async with running(dispatching.dispatcher.run()):
        for tries in (1, 2, 3):
            await dispatching.settles(tries)
            dispatching.clock.now = min(dispatching.delivery().due_time, NOW + timedelta(days=1))
    assert (dispatching.delivery().state, len(dispatching.delivery().attempts)) == (ExecutionState.FAILED, 3)


async def test_a_410_disables_the_rule_and_cancels_its_other_deliveries() -> None:
    both = rule("call", None, webhook("one"), webhook("two", "https://other.example/"))
    receivers = FakeReceivers(GONE, LATER)
    dispatching = Dispatching(receivers, executed(change(), both), executed(change("bob"), both), rules=FakeRules(both))
    dispatching.rules._executions = dispatching.executions

    async def nothing_is_pending() -> bool:
        dispatching.clock.now += timedelta(seconds=1)
        return all(each.state is not ExecutionState.PENDING for each in dispatching.executions.executions.values())

    async with running(dispatching.dispatcher.run()):
        await eventually(nothing_is_pending, what="the others are cancelled")
    ends = Counter(
        (each.state, tuple(attempt.status for attempt in each.attempts))
        for execution in dispatching.executions.executions.values()
        for each in execution.deliveries
    )
    assert ends == {(ExecutionState.FAILED, (410,)): 1, (ExecutionState.CANCELLED, (503,)): 3}
    stored = await dispatching.rules.get("call")
    assert (stored.draft.enabled, stored.disable_reason) == (False, "https://crm.example answered 410")
    assert stored.revision == 2


async def test_the_disable_reason_names_the_current_endpoint() -> None:
    """Not where the delivery was to go when it was recorded."""
    moved = FakeRules(rule("call", None, webhook(url="https://new.example/")))
    dispatching = Dispatching(FakeReceivers(GONE), executed(change(), rule("call", None, webhook())), rules=moved)

    async def is_disabled() -> bool:
        return not (await moved.get("call")).draft.enabled

    async with running(dispatching.dispatcher.run()):
        await eventually(is_disabled, what="the rule is disabled")
    assert (await moved.get("call")).disable_reason == "https://new.example answered 410"


@pytest.mark.parametrize("change_of_rule", ["disabled", "deleted", "without the action", "with another receiver"])
async def test_a_delivery_is_cancelled_if_the_rule_no_longer_has_its_action(change_of_rule: str) -> None:
    """Also when it was recorded by a drain that had read the rule before."""
    rules = {
        "disabled": FakeRules(rule("call", None, webhook(), enabled=False)),
        "deleted": FakeRules(),
        "without the action": FakeRules(rule("call", None, webhook("other"))),
        "with another receiver": FakeRules(rule("call", None, Action("crm", Slack("https://chat.example/")))),
    }[change_of_rule]
    receivers = FakeReceivers()
    dispatching = Dispatching(receivers, executed(change(), rule("call", None, webhook())), rules=rules)

    async def is_cancelled() -> bool:
        return dispatching.delivery().state is ExecutionState.CANCELLED

    async with running(dispatching.dispatcher.run()):
        await eventually(is_cancelled, what="it is cancelled")
    assert receivers.sent == []


async def test_an_attempt_uses_the_current_url_and_secret() -> None:
    receivers = FakeReceivers()
    moved = webhook(url="https://new.example/")
    dispatching = Dispatching(
        receivers, executed(change(), rule("call", None, webhook())), rules=FakeRules(rule("call", None, moved))
    )
    async with running(dispatching.dispatcher.run()):
        await dispatching.settles(1)
    assert [action for action, _ in receivers.sent] == [moved]


async def test_a_clock_that_was_set_back_does_not_delay_deliveries() -> None:
    call = rule("call", None, webhook())
    dispatching = Dispatching(FakeReceivers(), executed(change(), call, NOW + timedelta(hours=1)))
    async with running(
        dispatching.dispatcher.run(), repair_due_times(dispatching.executions, dispatching.clock, every=0.01)
    ):
        await dispatching.settles(1)
    assert dispatching.delivery().state is ExecutionState.DELIVERED


async def test_a_delivery_is_due_again_after_an_internal_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatching = Dispatching(FakeReceivers(), executed(change(), rule("call", None, webhook())))
    enabled, failures = dispatching.rules.enabled, [OSError(), OSError()]

    async def fail(rule_ids: Collection[str]) -> object:
        if failures:
            raise failures.pop()
        return await enabled(rule_ids)

    monkeypatch.setattr(dispatching.rules, "enabled", fail)

    async def is_delivered() -> bool:
        dispatching.clock.now += timedelta(seconds=1)
        return dispatching.delivery().state is ExecutionState.DELIVERED

    async with running(dispatching.dispatcher.run()):
        await eventually(is_delivered, what="the claim lapses and the delivery arrives")


class Broken:
    """`Receivers` that raise what no port has promised."""

    async def check(self, field: str, action: Action) -> list[str]:
        """Knows nothing."""
        return []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Fails."""
        raise UnicodeError("no such\nlabel" + "!" * 10_000)


async def test_an_attempt_with_an_unexpected_error_counts() -> None:
    dispatching = Dispatching(Broken(), executed(change(), rule("call", None, webhook())))
    async with running(dispatching.dispatcher.run()):
        for tries in (1, 2, 3):
            await dispatching.settles(tries)
            dispatching.clock.now = min(dispatching.delivery().due_time, NOW + timedelta(days=1))
    assert (dispatching.delivery().state, len(dispatching.delivery().attempts)) == (ExecutionState.FAILED, 3)
    error = dispatching.delivery().attempts[0].error
    assert (error.startswith("UnicodeError"), "\n" in error, len(error) <= ANSWER_BYTES) == (True, False, True)


async def test_attempts_in_flight_finish_before_the_loop_ends() -> None:
    receivers = UnresponsiveReceivers()
    dead = rule("dead", None, webhook("dead", "https://dead.example/"))
    dispatching = Dispatching(receivers, executed(change(), dead), rules=FakeRules(dead))

    async def has_begun() -> bool:
        return bool(receivers.begun)

    async with running(dispatching.dispatcher.run()):
        await eventually(has_begun, what="the attempt begins")
        asyncio.get_running_loop().call_later(0.1, receivers.free.set)
    assert len(dispatching.delivery().attempts) == 1
