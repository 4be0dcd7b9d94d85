"""Events that arrive together are written together, and every caller gets the result of its own event."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable, Sequence

import pytest
from pymongo.errors import ConnectionFailure

from ingest_service.domain.errors import EventIdConflict
from ingest_service.domain.event import MAX_EVENTS, Event
from ingest_service.ports import PutOutcome, PutResult
from ingest_service.store import MongoEventStore
from shared.contracts import events as contract
from shared.deadlines import deadline, seconds_left
from shared.group_commit import GroupCommit
from shared.inbox.collection import Inbox
from shared.mongo import Database
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, FakeEventStore, HeldEventStore, event

SECONDS = 7.0


def group_of(store: FakeEventStore) -> GroupCommit[Event, PutOutcome]:
    return GroupCommit(store.put, limit=MAX_EVENTS, seconds=SECONDS)


def numbered(*numbers: int) -> list[Event]:
    return [event(f"e{number}") for number in numbers]


async def answers(*calls: Awaitable[PutOutcome]) -> list[PutOutcome]:
    """Returns the results of the calls, or fails the test if one never returns."""
    async with asyncio.timeout(30):
        return await asyncio.gather(*calls)


def started(calls: Iterable[Coroutine[object, object, PutOutcome]]) -> list[asyncio.Task[PutOutcome]]:
    return [asyncio.create_task(call) for call in calls]


async def test_events_that_arrive_together_are_written_together() -> None:
    group = group_of(store := FakeEventStore())
    events = numbered(*range(20))
    assert await answers(*map(group.add, events)) == [PutResult.NEW] * 20
    assert store.puts == [events]


async def test_events_that_arrive_during_a_write_form_the_next_group() -> None:
    group = group_of(store := HeldEventStore())
    first, *others = numbered(*range(20))
    calls = started([group.add(first)])
    await store.begun.wait()
    calls += started(map(group.add, others))
    store.go.set()
    assert await answers(*calls) == [PutResult.NEW] * 20
    assert store.puts == [[first], others]


async def test_a_caller_that_calls_again_joins_the_waiting_group() -> None:
    group = group_of(store := HeldEventStore())

    async def twice() -> PutOutcome:
        await group.add(event("e1"))
        return await group.add(event("e3"))

    calls = started([twice()])
    await store.begun.wait()
    calls += started([group.add(event("e2"))])
    store.go.set()
    assert await answers(*calls) == [PutResult.NEW, PutResult.NEW]
    assert store.puts == [numbered(1), numbered(2, 3)]


async def test_each_caller_gets_the_result_of_its_own_event() -> None:
    group = group_of(FakeEventStore())
    events = [event("a"), event("b"), event("a"), event("a", source="crm"), event("c")]
    *outcomes, conflict, last = await answers(*map(group.add, events))
    assert [*outcomes, last] == [PutResult.NEW, PutResult.NEW, PutResult.DUPLICATE, PutResult.NEW]
    assert isinstance(conflict, EventIdConflict)


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_group_has_at_most_as_many_events_as_a_batch(extra: int) -> None:
    group = group_of(store := FakeEventStore())
    events = numbered(*range(2 * MAX_EVENTS + extra))
    assert set(await answers(*map(group.add, events))) == {PutResult.NEW}
    assert [len(put) for put in store.puts] == [MAX_EVENTS, MAX_EVENTS] + [1] * extra
    assert [each for put in store.puts for each in put] == events


async def test_an_error_reaches_the_whole_group_and_the_next_group_is_written() -> None:
    group = group_of(store := HeldEventStore())
    store.faults = [ConnectionFailure("planted")]
    failing = started(map(group.add, numbered(1, 2, 3)))
    await store.begun.wait()
    following = started(map(group.add, numbered(4, 5)))
    store.go.set()
    for each in failing:
        with pytest.raises(ConnectionFailure, match="planted"):
            await answers(each)
    assert await answers(*following) == [PutResult.NEW, PutResult.NEW]
    assert await answers(group.add(event("e1"))) == [PutResult.NEW]
    assert store.puts == [numbered(1, 2, 3), numbered(4, 5), numbered(1)]


async def test_a_caller_cancelled_during_the_write_does_not_cancel_it() -> None:
    group = group_of(store := HeldEventStore())
    cancelled, remaining = started(map(group.add, numbered(1, 2)))
    await store.begun.wait()
    cancelled.cancel()
    store.go.set()
    assert await answers(remaining) == [PutResult.NEW]
    assert cancelled.cancelled()
    assert store.puts == [numbered(1, 2)]
    assert await answers(group.add(event("e1"))) == [PutResult.DUPLICATE]


async def test_the_write_continues_when_all_callers_are_cancelled() -> None:
    group = group_of(store := HeldEventStore())
    calls = started(map(group.add, numbered(1, 2)))
    await store.begun.wait()
    for each in calls:
        each.cancel()
    store.go.set()
    assert await answers(group.add(event("e1"))) == [PutResult.DUPLICATE]
    assert await answers(group.add(event("e2"))) == [PutResult.DUPLICATE]


async def test_a_failed_write_is_reported_to_the_remaining_callers() -> None:
    group = group_of(store := HeldEventStore())
    store.faults = [ConnectionFailure("planted")]
    cancelled, remaining = started(map(group.add, numbered(1, 2)))
    await store.begun.wait()
    cancelled.cancel()
    store.go.set()
    with pytest.raises(ConnectionFailure):
        await answers(remaining)
    assert await answers(group.add(event("e2"))) == [PutResult.NEW]


async def test_a_caller_cancelled_before_the_write_does_not_affect_the_others() -> None:
    group = group_of(store := HeldEventStore())
    first = asyncio.create_task(group.add(event("e1")))
    await store.begun.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await group.add(event("e2"))
    third = asyncio.create_task(group.add(event("e3")))
    store.go.set()
    assert await answers(first, third) == [PutResult.NEW, PutResult.NEW]


async def test_a_group_without_callers_is_not_written() -> None:
    group = group_of(store := FakeEventStore())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await group.add(event("e1"))

    async def idle() -> bool:
        return group._writer is None

    await eventually(idle, what="the group is idle")
    assert store.puts == [], "expected no write without callers"
    assert await answers(group.add(event("e2"))) == [PutResult.NEW]
    assert store.puts == [[event("e2")]]


async def test_a_group_does_not_inherit_the_deadline_of_its_first_call() -> None:
    left: list[float] = []

    async def put(events: Sequence[Event]) -> list[PutResult]:
        left.append(seconds_left())
        return [PutResult.NEW] * len(events)

    group = GroupCommit(put, limit=MAX_EVENTS, seconds=SECONDS)
    for seconds in (0.0, 1000.0):
        with deadline(seconds):
            await group.add(event())
    assert len(left) == 2
    assert all(0 < each <= SECONDS for each in left), "expected the deadline of the group"


async def test_an_expired_call_does_not_shorten_the_write_of_its_group(database: Database) -> None:
    store = MongoEventStore(Inbox(database, contract.CONTRACT, partitions=PARTITIONS), lambda: NOW)
    group = GroupCommit(store.put, limit=MAX_EVENTS, seconds=SECONDS)
    with deadline(1e-6):
        assert await answers(group.add(event())) == [PutResult.NEW]
