"""A delivery after each attempt: the schedule and the states."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from automation_service.domain.delivery import (
    MAX_ATTEMPTS,
    NEVER,
    Answer,
    Delivery,
    ExecutionState,
    Fate,
    Schedule,
)
from tests.automation.dispatching import SCHEDULE
from tests.automation.fakes import NOW, change, executed, rule, webhook


def delivery(**fields: object) -> Delivery:
    [found] = executed(change(), rule("call", None, webhook())).deliveries
    return replace(found, **fields)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(Fate), max_size=30), st.lists(st.integers(1, 10_000), max_size=9), st.floats(0.9, 1.1))
def test_a_delivery_ends_with_its_id_and_body(fates: Sequence[Fate], waits: Sequence[int], jitter: float) -> None:
    """Whatever is answered, there are at most as many attempts as the schedule has waits, and one more."""
    schedule, now, found = Schedule([timedelta(seconds=wait) for wait in waits]), NOW, delivery()
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
            assert abs(wait - schedule.failed[made - 1] * jitter) <= timedelta(milliseconds=1)
    assert made <= len(schedule.failed) + 1
    assert len(found.attempts) == made
    assert (found.due_time == NEVER) is (found.state is not ExecutionState.PENDING)
    expected = {
        Fate.ARRIVED: ExecutionState.DELIVERED,
        Fate.FINAL: ExecutionState.FAILED,
        Fate.REFUSED: ExecutionState.FAILED,
        Fate.GONE: ExecutionState.FAILED,
    }
    if made and fates[made - 1] in expected:
        assert found.state is expected[fates[made - 1]]


def test_only_the_latest_attempts_are_kept() -> None:
    found = delivery()
    for number in range(MAX_ATTEMPTS + 3):
        answer = Answer(Fate.RETRY, 500 + number)
        found = found.settled(answer, NOW, timedelta(), Schedule([timedelta(seconds=1)] * 99), 1)
    assert [each.status for each in found.attempts] == list(range(503, 503 + MAX_ATTEMPTS))


def test_refusals_have_a_schedule_of_their_own() -> None:
    """A receiver that is down in between does not use up the waits after refusals, nor the other way round."""
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    schedule, found, waits = Schedule([hour, 2 * hour], [minute, 2 * minute]), delivery(), []
    for fate in (Fate.REFUSED, Fate.RETRY, Fate.REFUSED, Fate.RETRY, Fate.REFUSED):
        found = found.settled(Answer(fate, 404), NOW, timedelta(), schedule, 1)
        waits.append(found.due_time - NOW)
    assert waits[:-1] == [minute, hour, 2 * minute, 2 * hour]
    assert (found.state, found.tries, found.refusals) == (ExecutionState.FAILED, 5, 3)
    assert (found.retried(NOW).tries, found.retried(NOW).refusals) == (0, 0)


def test_a_retry_restarts_the_schedule_unless_delivered_or_in_progress() -> None:
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
