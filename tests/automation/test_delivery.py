"""What becomes of a delivery: the schedule, the states, and the loop that makes the attempts."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_service.delivery.attempt import MAX_SETTLED, DeliveryAttempt
from automation_service.delivery.dispatcher import CLAIM, Dispatcher, repair_due_times
from automation_service.delivery.endpoints import IN_FLIGHT, PER_ENDPOINT, PER_FAILING_ENDPOINT
from automation_service.domain.action import Action
from automation_service.domain.delivery import (
    ANSWER_BYTES,
    MAX_ATTEMPTS,
    NEVER,
    Answer,
    Delivery,
    ExecutionState,
    Fate,
)
from automation_service.domain.execution import Execution
from automation_service.domain.receiver import Slack
from automation_service.ports import Receivers
from shared.group_commit import GroupCommit
from shared.tasks import running
from testkit.waiting import eventually
from tests.automation.fakes import NOW, FakeExecutions, FakeReceivers, FakeRules, change, executed, rule, webhook

SCHEDULE = [timedelta(seconds=seconds) for seconds in (5, 300)]
LATER = Answer(Fate.RETRY, 503, "later")
GONE = Answer(Fate.GONE, 410)


def delivery(**fields: object) -> Delivery:
    [found] = executed(change(), rule("call", None, webhook())).deliveries
    return replace(found, **fields)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(Fate), max_size=30), st.lists(st.integers(1, 10_000), max_size=9), st.floats(0.9, 1.1))
def test_a_delivery_ends_and_keeps_its_id_and_body(fates: Sequence[Fate], waits: Sequence[int], jitter: float) -> None:
    """Whatever is answered, there are at most as many attempts as the schedule has waits, and one more."""
    schedule, now, found = [timedelta(seconds=wait) for wait in waits], NOW, delivery()
    made = 0
    for fate in fates:
        if found.state is not ExecutionState.PENDING:
            break
        before, now = found, max(now, found.due_time)
        found = found.settled(Answer(fate, 200), now, timedelta(seconds=1), schedule, jitter)
        made += 1
        assert (found.delivery_id, found.body) == (before.delivery_id, before.body)
        if found.state is ExecutionState.PENDING:
            wait = found.due_time - now - timedelta(seconds=1)
            assert abs(wait - schedule[made - 1] * jitter) <= timedelta(milliseconds=1)
    assert made <= len(schedule) + 1
    assert len(found.attempts) == made
    assert (found.due_time == NEVER) is (found.state is not ExecutionState.PENDING)
    expected = {
        Fate.ARRIVED: ExecutionState.DELIVERED,
        Fate.FINAL: ExecutionState.FAILED,
        Fate.GONE: ExecutionState.FAILED,
    }
    if made and fates[made - 1] in expected:
        assert found.state is expected[fates[made - 1]]


def test_only_the_latest_attempts_are_kept() -> None:
    found = delivery()
    for number in range(MAX_ATTEMPTS + 3):
        answer = Answer(Fate.RETRY, 500 + number)
        found = found.settled(answer, NOW, timedelta(), [timedelta(seconds=1)] * 99, 1)
    assert [each.status for each in found.attempts] == list(range(503, 503 + MAX_ATTEMPTS))


def test_a_retry_begins_the_schedule_anew_and_leaves_what_is_done_or_under_way_alone() -> None:
    failed = delivery().settled(Answer(Fate.FINAL, 404), NOW, timedelta(), SCHEDULE, 1)
    again = failed.retried(NOW + timedelta(days=1))
    assert (again.state, again.due_time, again.tries) == ("pending", NOW + timedelta(days=1), 0)
    assert again.attempts == failed.attempts
    done = delivery(state=ExecutionState.DELIVERED, due_time=NEVER)
    assert done.retried(NOW) == done
    under_way = delivery(lease="token", due_time=NOW + timedelta(seconds=20))
    assert under_way.retried(NOW) == under_way
    assert delivery(lease="token", due_time=NOW).retried(NOW).lease == ""
    unwritten = replace(failed, body=b"")
    assert unwritten.retried(NOW) == unwritten


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Returns its time."""
        return self.now


class Desk:
    """A dispatcher over fakes."""

    def __init__(self, receivers: Receivers, *executions: Execution, rules: FakeRules | None = None) -> None:
        self.executions = FakeExecutions(*executions)
        self.rules = rules or FakeRules(rule("call", None, webhook()))
        self.clock = Clock()
        self.dispatcher = Dispatcher(
            self.executions,
            DeliveryAttempt(
                GroupCommit(self.executions.settle, limit=MAX_SETTLED, seconds=5),
                self.rules,
                receivers,
                SCHEDULE,
                self.clock,
            ),
            self.clock,
        )

    def delivery(self) -> Delivery:
        """Returns the only delivery."""
        [found] = (each.deliveries[0] for each in self.executions.executions.values())
        return found

    async def take(self, executions: Sequence[Execution]) -> list[Execution]:
        """Does what a drain does with new executions; returns them as they were recorded."""
        recorded = self.dispatcher.admit(executions)
        await self.executions.record(recorded)
        self.dispatcher.begin(recorded)
        return recorded

    async def settles(self, tries: int) -> None:
        """Waits until so many attempts are stored."""

        async def made() -> bool:
            return len(self.delivery().attempts) >= tries

        await eventually(made, what=f"{tries} attempts are stored")


async def test_a_delivery_is_attempted_by_its_schedule_until_it_arrives() -> None:
    receivers = FakeReceivers(LATER, replace(LATER, retry_after=timedelta(hours=2)), Answer(Fate.ARRIVED, 200))
    desk = Desk(receivers, executed(change(), rule("call", None, webhook())))
    async with running(desk.dispatcher.run()):
        await desk.settles(1)
        assert timedelta(seconds=4.5) <= desk.delivery().due_time - NOW <= timedelta(seconds=5.5)
        desk.clock.now = desk.delivery().due_time
        await desk.settles(2)
        assert desk.delivery().due_time - desk.clock.now == timedelta(hours=2)
        desk.clock.now = desk.delivery().due_time
        await desk.settles(3)
    assert desk.delivery().state is ExecutionState.DELIVERED
    assert len({(sent.delivery_id, sent.body) for _, sent in receivers.sent}) == 1


async def test_after_the_last_wait_it_has_failed() -> None:
    desk = Desk(FakeReceivers(LATER), executed(change(), rule("call", None, webhook())))
    async with running(desk.dispatcher.run()):
        for tries in (1, 2, 3):
            await desk.settles(tries)
            desk.clock.now = min(desk.delivery().due_time, NOW + timedelta(days=1))
    assert (desk.delivery().state, len(desk.delivery().attempts)) == (ExecutionState.FAILED, 3)


async def test_a_receiver_that_is_gone_disables_the_rule_and_cancels_the_rest() -> None:
    both = rule("call", None, webhook("one"), webhook("two", "https://other.example/"))
    receivers = FakeReceivers(GONE, LATER)
    desk = Desk(receivers, executed(change(), both), executed(change("bob"), both), rules=FakeRules(both))
    desk.rules._executions = desk.executions

    async def nothing_is_pending() -> bool:
        desk.clock.now += timedelta(seconds=1)
        return all(each.state is not ExecutionState.PENDING for each in desk.executions.executions.values())

    async with running(desk.dispatcher.run()):
        await eventually(nothing_is_pending, what="the others are cancelled")
    ends = Counter(
        (each.state, tuple(attempt.status for attempt in each.attempts))
        for execution in desk.executions.executions.values()
        for each in execution.deliveries
    )
    assert ends == {(ExecutionState.FAILED, (410,)): 1, (ExecutionState.CANCELLED, (503,)): 3}
    stored = await desk.rules.get("call")
    assert (stored.draft.enabled, stored.disable_reason) == (False, "https://crm.example answered 410")
    assert stored.revision == 2


async def test_the_reason_for_which_a_rule_is_disabled_names_where_the_attempt_went() -> None:
    """Not where the delivery was to go when it was recorded."""
    moved = FakeRules(rule("call", None, webhook(url="https://new.example/")))
    desk = Desk(FakeReceivers(GONE), executed(change(), rule("call", None, webhook())), rules=moved)

    async def is_disabled() -> bool:
        return not (await moved.get("call")).draft.enabled

    async with running(desk.dispatcher.run()):
        await eventually(is_disabled, what="the rule is disabled")
    assert (await moved.get("call")).disable_reason == "https://new.example answered 410"


@pytest.mark.parametrize("change_of_rule", ["disabled", "deleted", "without the action", "with another receiver"])
async def test_what_the_rule_no_longer_says_is_not_delivered(change_of_rule: str) -> None:
    """Also when it was recorded by a drain that had read the rule before."""
    rules = {
        "disabled": FakeRules(rule("call", None, webhook(), enabled=False)),
        "deleted": FakeRules(),
        "without the action": FakeRules(rule("call", None, webhook("other"))),
        "with another receiver": FakeRules(rule("call", None, Action("crm", Slack("https://chat.example/")))),
    }[change_of_rule]
    receivers = FakeReceivers()
    desk = Desk(receivers, executed(change(), rule("call", None, webhook())), rules=rules)

    async def is_cancelled() -> bool:
        return desk.delivery().state is ExecutionState.CANCELLED

    async with running(desk.dispatcher.run()):
        await eventually(is_cancelled, what="it is cancelled")
    assert receivers.sent == []


async def test_what_was_just_recorded_leaves_without_being_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    receivers = FakeReceivers()
    desk = Desk(receivers)

    async def never(*_: object) -> None:
        pytest.fail("expected no look for what is due")

    monkeypatch.setattr(desk.executions, "due", never)
    [recorded] = await desk.take([executed(change(), rule("call", None, webhook()))])
    assert recorded.deliveries[0].due_time == NOW + CLAIM, "expected it to be nobody else's until the claim lapses"
    await desk.settles(1)
    assert desk.delivery().state is ExecutionState.DELIVERED
    assert [sent.delivery_id for _, sent in receivers.sent] == [desk.delivery().delivery_id]


async def test_what_was_just_recorded_of_a_rule_that_is_disabled_meanwhile_is_cancelled() -> None:
    receivers = FakeReceivers()
    desk = Desk(receivers, rules=FakeRules(rule("call", None, webhook(), enabled=False)))
    await desk.take([executed(change(), rule("call", None, webhook()))])

    async def is_cancelled() -> bool:
        return desk.delivery().state is ExecutionState.CANCELLED

    await eventually(is_cancelled, what="it is cancelled")
    assert receivers.sent == []


async def test_what_finds_no_room_at_once_is_left_to_be_looked_for() -> None:
    receivers = DeadEnd()
    receivers.free.set()
    several = PER_ENDPOINT + 30
    desk = Desk(receivers, rules=FakeRules(rule("call", None, webhook())))
    recorded = await desk.take(
        [executed(change(f"lead-{each}"), rule("call", None, webhook())) for each in range(several)]
    )
    leases = [each.deliveries[0].lease for each in recorded]
    assert (all(leases[:PER_ENDPOINT]), any(leases[PER_ENDPOINT:])) == (True, False)

    async def all_are_delivered() -> bool:
        return all(each.state is ExecutionState.DELIVERED for each in desk.executions.executions.values())

    async with running(desk.dispatcher.run()):
        await eventually(all_are_delivered, what="all are delivered")
    assert sum(receivers.begun.values()) == several


async def test_what_several_drains_admit_at_once_waits_until_there_is_room() -> None:
    receivers, call = DeadEnd(), rule("dead", None, webhook("dead", "https://dead.example/"))
    desk = Desk(receivers, rules=FakeRules(call))
    drains = [
        desk.dispatcher.admit([executed(change(f"{drain}-{each}"), call) for each in range(PER_ENDPOINT)])
        for drain in range(3)
    ]
    for recorded in drains:
        assert all(each.deliveries[0].lease for each in recorded)
        await desk.executions.record(recorded)
        desk.dispatcher.begin(recorded)

    async def have_begun() -> bool:
        return receivers.begun.get("https://dead.example", 0) >= PER_ENDPOINT

    async def are_all_made() -> bool:
        return receivers.begun["https://dead.example"] == 3 * PER_ENDPOINT

    async with running(desk.dispatcher.run()):
        await eventually(have_begun, what="as many attempts as there is room for")
        assert receivers.begun["https://dead.example"] == PER_ENDPOINT
        receivers.free.set()
        await eventually(are_all_made, what="the others follow")


async def test_a_delivery_that_failed_when_it_was_recorded_is_not_attempted() -> None:
    failed = executed(change(), rule("call", None, webhook()))
    failed = replace(failed, deliveries=(failed.deliveries[0].settled(Answer(Fate.FINAL), NOW, timedelta(), (), 1),))
    receivers = FakeReceivers()
    desk = Desk(receivers)
    assert await desk.take([failed]) == [failed]
    assert receivers.sent == []


async def test_a_new_url_and_secret_are_used_at_once() -> None:
    receivers = FakeReceivers()
    moved = webhook(url="https://new.example/")
    desk = Desk(
        receivers, executed(change(), rule("call", None, webhook())), rules=FakeRules(rule("call", None, moved))
    )
    async with running(desk.dispatcher.run()):
        await desk.settles(1)
    assert [action for action, _ in receivers.sent] == [moved]


async def test_what_was_recorded_before_the_clock_was_set_back_does_not_wait_for_as_long() -> None:
    call = rule("call", None, webhook())
    desk = Desk(FakeReceivers(), executed(change(), call, NOW + timedelta(hours=1)))
    async with running(desk.dispatcher.run(), repair_due_times(desk.executions, desk.clock, every=0.01)):
        await desk.settles(1)
    assert desk.delivery().state is ExecutionState.DELIVERED


class DeadEnd:
    """`Receivers` of which one answers, and the others never do; `begun` counts attempts by endpoint."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.free = asyncio.Event()

    async def check(self, field: str, action: Action) -> list[str]:
        """Knows nothing."""
        return []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Answers, or not."""
        self.begun[delivery.endpoint] = self.begun.get(delivery.endpoint, 0) + 1
        if "dead" in delivery.endpoint:
            await self.free.wait()
            return LATER
        return Answer(Fate.ARRIVED, 200)


async def test_a_dead_endpoint_has_its_share_and_the_others_do_not_wait() -> None:
    dead, alive = webhook("dead", "https://dead.example/"), webhook("alive", "https://alive.example/")
    rules = [rule("dead", None, dead), rule("alive", None, alive)]
    # All that is due at the dead one comes first.
    executions = [executed(change(f"lead-{number}"), rules[0], NOW - timedelta(hours=1)) for number in range(200)]
    executions += [executed(change(f"lead-{number}"), rules[1]) for number in range(200)]
    receivers = DeadEnd()
    desk = Desk(receivers, *executions, rules=FakeRules(*rules))

    async def all_alive_are_delivered() -> bool:
        return receivers.begun.get("https://alive.example", 0) == 200

    async with running(desk.dispatcher.run()):
        await eventually(all_alive_are_delivered, what="the living endpoint gets all that is its")
        assert receivers.begun["https://dead.example"] == PER_ENDPOINT < IN_FLIGHT
        receivers.begun.clear()
        receivers.free.set()

        async def all_dead_are_tried() -> bool:
            return receivers.begun.get("https://dead.example", 0) == 200 - PER_ENDPOINT

        await eventually(all_dead_are_tried, what="the rest is tried when it answers")


async def test_an_endpoint_that_failed_gets_few_attempts_at_a_time() -> None:
    dead = rule("dead", None, webhook("dead", "https://dead.example/"))
    receivers = DeadEnd()
    desk = Desk(receivers, executed(change(), dead), rules=FakeRules(dead))
    receivers.free.set()
    async with running(desk.dispatcher.run()):
        await desk.settles(1)
        receivers.free.clear()
        receivers.begun.clear()
        await desk.take([executed(change(f"lead-{number}"), dead) for number in range(50)])

        async def some_are_tried() -> bool:
            return receivers.begun.get("https://dead.example", 0) >= PER_FAILING_ENDPOINT

        await eventually(some_are_tried, what="the failing endpoint is tried")
        assert receivers.begun["https://dead.example"] == PER_FAILING_ENDPOINT
        receivers.free.set()


async def test_a_failure_of_ours_leaves_a_delivery_due_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(FakeReceivers(), executed(change(), rule("call", None, webhook())))
    enabled, failures = desk.rules.enabled, [OSError(), OSError()]

    async def fail(rule_ids: Collection[str]) -> object:
        if failures:
            raise failures.pop()
        return await enabled(rule_ids)

    monkeypatch.setattr(desk.rules, "enabled", fail)

    async def is_delivered() -> bool:
        desk.clock.now += timedelta(seconds=1)
        return desk.delivery().state is ExecutionState.DELIVERED

    async with running(desk.dispatcher.run()):
        await eventually(is_delivered, what="the claim lapses and the delivery arrives")


class Broken:
    """`Receivers` that raise what no port has promised."""

    async def check(self, field: str, action: Action) -> list[str]:
        """Knows nothing."""
        return []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Fails."""
        raise UnicodeError("no such\nlabel" + "!" * 10_000)


async def test_an_attempt_that_fails_in_an_unforeseen_way_is_one_of_the_schedule() -> None:
    desk = Desk(Broken(), executed(change(), rule("call", None, webhook())))
    async with running(desk.dispatcher.run()):
        for tries in (1, 2, 3):
            await desk.settles(tries)
            desk.clock.now = min(desk.delivery().due_time, NOW + timedelta(days=1))
    assert (desk.delivery().state, len(desk.delivery().attempts)) == (ExecutionState.FAILED, 3)
    error = desk.delivery().attempts[0].error
    assert (error.startswith("UnicodeError"), "\n" in error, len(error) <= ANSWER_BYTES) == (True, False, True)


async def test_attempts_that_have_begun_are_finished_when_the_loop_ends() -> None:
    receivers = DeadEnd()
    dead = rule("dead", None, webhook("dead", "https://dead.example/"))
    desk = Desk(receivers, executed(change(), dead), rules=FakeRules(dead))

    async def has_begun() -> bool:
        return bool(receivers.begun)

    async with running(desk.dispatcher.run()):
        await eventually(has_begun, what="the attempt begins")
        asyncio.get_running_loop().call_later(0.1, receivers.free.set)
    assert len(desk.delivery().attempts) == 1
