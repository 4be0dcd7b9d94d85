"""Checked, stored in groups, and rung for."""

import asyncio
import math
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from datetime import timedelta

import pytest
from pymongo.errors import ConnectionFailure

from ingest_service.domain.event import MAX_EVENTS, Event, EventIdConflict, InvalidEvent
from ingest_service.ports import Stored
from ingest_service.store import MongoEventStore
from ingest_service.usecases.ingest import Ingest
from shared.contracts import events
from shared.deadlines import deadline, seconds_left
from shared.group_commit import GroupCommit
from shared.inbox.collection import Inbox
from shared.mongo import Database
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, FakeBell, FakeEventStore, HeldEventStore, event, nothing_is_behind

SECONDS = 7.0


def group_of(store: FakeEventStore) -> GroupCommit[Event, Stored]:
    return GroupCommit(store.put, limit=MAX_EVENTS, seconds=SECONDS)


def numbered(*numbers: int) -> list[Event]:
    return [event(f"e{number}") for number in numbers]


async def answers(*calls: Awaitable[Stored]) -> list[Stored]:
    """Returns what calls answer; one that is never answered fails the test."""
    async with asyncio.timeout(30):
        return await asyncio.gather(*calls)


def started(calls: Iterable[Coroutine[object, object, Stored]]) -> list[asyncio.Task[Stored]]:
    return [asyncio.create_task(call) for call in calls]


async def test_events_that_arrive_together_are_put_together() -> None:
    group = group_of(store := FakeEventStore())
    events = numbered(*range(20))
    assert await answers(*map(group.add, events)) == [Stored.NEW] * 20
    assert store.puts == [events]


async def test_what_arrives_during_a_write_goes_out_in_one_further_put() -> None:
    group = group_of(store := HeldEventStore())
    first, *others = numbered(*range(20))
    calls = started([group.add(first)])
    await store.begun.wait()
    calls += started(map(group.add, others))
    store.go.set()
    assert await answers(*calls) == [Stored.NEW] * 20
    assert store.puts == [[first], others]


async def test_who_was_answered_and_calls_again_joins_those_who_wait() -> None:
    group = group_of(store := HeldEventStore())

    async def twice() -> Stored:
        await group.add(event("e1"))
        return await group.add(event("e3"))

    calls = started([twice()])
    await store.begun.wait()
    calls += started([group.add(event("e2"))])
    store.go.set()
    assert await answers(*calls) == [Stored.NEW, Stored.NEW]
    assert store.puts == [numbered(1), numbered(2, 3)]


async def test_each_caller_learns_of_its_own_event() -> None:
    group = group_of(FakeEventStore())
    events = [event("a"), event("b"), event("a"), event("a", source="crm"), event("c")]
    outcomes = await answers(*map(group.add, events))
    assert outcomes == [Stored.NEW, Stored.NEW, Stored.SAME, Stored.OTHER, Stored.NEW]


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_group_is_no_larger_than_a_batch_may_be(extra: int) -> None:
    group = group_of(store := FakeEventStore())
    events = numbered(*range(2 * MAX_EVENTS + extra))
    assert set(await answers(*map(group.add, events))) == {Stored.NEW}
    assert [len(put) for put in store.puts] == [MAX_EVENTS, MAX_EVENTS] + [1] * extra
    assert [each for put in store.puts for each in put] == events


async def test_an_error_reaches_all_who_waited_and_the_next_group_goes_on() -> None:
    group = group_of(store := HeldEventStore())
    store.faults = [ConnectionFailure("planted")]
    failing = started(map(group.add, numbered(1, 2, 3)))
    await store.begun.wait()
    following = started(map(group.add, numbered(4, 5)))
    store.go.set()
    for each in failing:
        with pytest.raises(ConnectionFailure, match="planted"):
            await answers(each)
    assert await answers(*following) == [Stored.NEW, Stored.NEW]
    assert await answers(group.add(event("e1"))) == [Stored.NEW]
    assert store.puts == [numbered(1, 2, 3), numbered(4, 5), numbered(1)]


async def test_a_caller_that_leaves_during_the_write_does_not_cancel_it() -> None:
    group = group_of(store := HeldEventStore())
    leaving, staying = started(map(group.add, numbered(1, 2)))
    await store.begun.wait()
    leaving.cancel()
    store.go.set()
    assert await answers(staying) == [Stored.NEW]
    assert leaving.cancelled()
    assert store.puts == [numbered(1, 2)]
    assert await answers(group.add(event("e1"))) == [Stored.SAME]


async def test_callers_that_all_leave_during_the_write_do_not_cancel_it() -> None:
    group = group_of(store := HeldEventStore())
    calls = started(map(group.add, numbered(1, 2)))
    await store.begun.wait()
    for each in calls:
        each.cancel()
    store.go.set()
    assert await answers(group.add(event("e1"))) == [Stored.SAME]
    assert await answers(group.add(event("e2"))) == [Stored.SAME]


async def test_callers_that_leave_a_write_that_fails_do_not_keep_the_error_from_others() -> None:
    group = group_of(store := HeldEventStore())
    store.faults = [ConnectionFailure("planted")]
    leaving, staying = started(map(group.add, numbered(1, 2)))
    await store.begun.wait()
    leaving.cancel()
    store.go.set()
    with pytest.raises(ConnectionFailure):
        await answers(staying)
    assert await answers(group.add(event("e2"))) == [Stored.NEW]


async def test_a_caller_that_leaves_before_the_write_harms_nobody() -> None:
    group = group_of(store := HeldEventStore())
    first = asyncio.create_task(group.add(event("e1")))
    await store.begun.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await group.add(event("e2"))
    third = asyncio.create_task(group.add(event("e3")))
    store.go.set()
    assert await answers(first, third) == [Stored.NEW, Stored.NEW]


async def test_a_group_that_all_have_left_is_not_put() -> None:
    group = group_of(store := FakeEventStore())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await group.add(event("e1"))

    async def idle() -> bool:
        return group._writer is None

    await eventually(idle, what="the group has nothing to do")
    assert store.puts == [], "expected that nothing is put for nobody"
    assert await answers(group.add(event("e2"))) == [Stored.NEW]
    assert store.puts == [[event("e2")]]


async def test_the_deadline_of_a_group_is_not_that_of_the_call_that_began_it() -> None:
    left: list[float] = []

    async def put(events: Sequence[Event]) -> list[Stored]:
        left.append(seconds_left())
        return [Stored.NEW] * len(events)

    group = GroupCommit(put, limit=MAX_EVENTS, seconds=SECONDS)
    for seconds in (0.0, 1000.0):
        with deadline(seconds):
            await group.add(event())
    assert left == pytest.approx([SECONDS, SECONDS], abs=1), "expected the group's own seconds"


async def test_a_call_at_its_deadline_does_not_bound_the_write_of_its_group(database: Database) -> None:
    store = MongoEventStore(Inbox(database, events.CONTRACT, partitions=PARTITIONS), lambda: NOW)
    group = GroupCommit(store.put, limit=MAX_EVENTS, seconds=SECONDS)
    with deadline(1e-6):
        assert await answers(group.add(event())) == [Stored.NEW]


def ingest_into(store: FakeEventStore) -> tuple[Ingest, FakeBell]:
    bell = FakeBell()
    return Ingest(store, group_of(store), bell, lambda: NOW, nothing_is_behind), bell


async def test_a_new_event_is_stored_and_rung_for() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    assert await ingest.one(event()) is Stored.NEW
    assert (store.events, bell.rung) == ({"e1": event()}, [store.partition_of("ada")])


async def test_the_same_event_again_is_a_success_that_rings_for_nothing() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    await store.put([event()])
    assert await ingest.one(event()) is Stored.SAME
    assert bell.rung == []


async def test_an_id_that_stands_for_another_event_is_a_conflict_and_changes_nothing() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    await store.put([event()])
    with pytest.raises(EventIdConflict, match="'e1'"):
        await ingest.one(event(lead_id="bob"))
    assert (store.events, bell.rung) == ({"e1": event()}, [])


async def test_a_flawed_event_never_reaches_the_store() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    with pytest.raises(InvalidEvent):
        await ingest.one(event(properties={"a": math.nan}))
    with pytest.raises(InvalidEvent):
        await ingest.one(event(event_time=NOW + timedelta(days=2)))
    assert (store.puts, bell.rung) == ([], [])


async def test_a_write_that_fails_is_rung_for_by_nobody() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    store.faults = [ConnectionFailure("planted"), ConnectionFailure("planted")]
    with pytest.raises(ConnectionFailure):
        await ingest.one(event())
    with pytest.raises(ConnectionFailure):
        await ingest.batch([event()])
    assert bell.rung == []


async def test_a_batch_has_one_outcome_per_event_in_order() -> None:
    ingest, _ = ingest_into(store := FakeEventStore())
    await store.put([event("old"), event("taken")])
    outcomes = await ingest.batch(
        [
            event("old"),
            event("flawed", lead_id=""),
            event("new"),
            event("taken", source="crm"),
            event("new"),
            event("flawed", event_time=None),
            event("newer"),
        ]
    )
    told = [each if isinstance(each, Stored) else (type(each), getattr(each, "field", "")) for each in outcomes]
    assert told == [
        Stored.SAME,
        (InvalidEvent, "lead_id"),
        Stored.NEW,
        (EventIdConflict, "event_id"),
        Stored.SAME,
        (InvalidEvent, "event_time"),
        Stored.NEW,
    ]


async def test_the_flawed_events_of_a_batch_are_not_stored_and_the_others_are() -> None:
    ingest, _ = ingest_into(store := FakeEventStore())
    await ingest.batch([event("a"), event("b", event_type=""), event("c")])
    assert store.puts == [[event("a"), event("c")]]


async def test_a_batch_of_flawed_events_is_not_put_at_all() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    outcomes = await ingest.batch([event(lead_id=""), event(event_type="")])
    assert [type(each) for each in outcomes] == [InvalidEvent, InvalidEvent]
    assert (store.puts, bell.rung) == ([], [])


async def test_a_batch_rings_for_its_new_events_only() -> None:
    ingest, bell = ingest_into(store := FakeEventStore())
    await store.put([event("same", lead_id="a"), event("other", lead_id="bb")])
    await ingest.batch(
        [
            event("same", lead_id="a"),
            event("other", lead_id="ccc"),
            event("flawed", lead_id="dddd", event_type=""),
            event("new", lead_id="eeeee"),
            event("newer", lead_id="ffffff"),
        ]
    )
    assert set(bell.rung) == {5, 6}


@pytest.mark.parametrize("count", [1, MAX_EVENTS])
async def test_the_smallest_and_the_largest_batch_are_put_at_once(count: int) -> None:
    ingest, _ = ingest_into(store := FakeEventStore())
    assert await ingest.batch(numbered(*range(count))) == [Stored.NEW] * count
    assert store.puts == [numbered(*range(count))]


async def test_a_caller_that_leaves_neither_tears_a_batch_nor_frees_its_place_before_it_is_stored() -> None:
    ingest, _ = ingest_into(store := HeldEventStore())
    call = asyncio.create_task(ingest.batch(numbered(1, 2)))
    await store.begun.wait()
    call.cancel()
    done, _ = await asyncio.wait([call], timeout=0.1)
    assert not done, "the call is expected to last as long as its write"
    store.go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 30)
    assert set(store.events) == {"e1", "e2"}


async def test_a_batch_that_its_caller_left_ends_at_its_bound_though_its_write_does_not() -> None:
    ingest, _ = ingest_into(store := HeldEventStore())

    async def call_of_the_server() -> None:
        async with asyncio.timeout(0.1):
            await ingest.batch(numbered(1))

    call = asyncio.create_task(call_of_the_server())
    await store.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 30)
    store.go.set()
