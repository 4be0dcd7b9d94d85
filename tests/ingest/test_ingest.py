"""Events are validated, stored, and announced to the scoring service."""

import asyncio
import math
from datetime import timedelta

import pytest
from pymongo.errors import ConnectionFailure

from ingest_service.domain.errors import EventIdConflict, InvalidEvent
from ingest_service.domain.event import MAX_EVENTS, Event
from ingest_service.ports import PutResult
from ingest_service.usecases.ingest import Ingest, Receipt
from shared.group_commit import GroupCommit
from tests.ingest.fakes import NOW, FakeDoorbell, FakeEventStore, HeldEventStore, event, nothing_refused

NEW, DUPLICATE = Receipt(PutResult.NEW, None, ""), Receipt(PutResult.DUPLICATE, None, "")


def numbered(*numbers: int) -> list[Event]:
    return [event(f"e{number}") for number in numbers]


def ingest_into(store: FakeEventStore) -> tuple[Ingest, FakeDoorbell]:
    doorbell = FakeDoorbell()
    return Ingest(
        store, GroupCommit(store.put, limit=MAX_EVENTS, seconds=7), doorbell, lambda: NOW, nothing_refused
    ), doorbell


async def test_a_new_event_is_stored_and_rings_the_doorbell() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    assert await ingest.ingest_event(event()) == NEW
    assert (store.events, doorbell.rings) == ({"e1": event()}, [store.partition_of("ada")])


async def test_a_duplicate_is_a_success_and_does_not_ring() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    await store.put([event()])
    assert await ingest.ingest_event(event()) == DUPLICATE
    assert doorbell.rings == []


async def test_an_id_of_a_different_event_is_a_conflict_and_changes_nothing() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    await store.put([event()])
    with pytest.raises(EventIdConflict, match="'e1'"):
        await ingest.ingest_event(event(lead_id="bob"))
    assert (store.events, doorbell.rings) == ({"e1": event()}, [])


async def test_an_invalid_event_is_not_stored() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    with pytest.raises(InvalidEvent):
        await ingest.ingest_event(event(properties={"a": math.nan}))
    with pytest.raises(InvalidEvent):
        await ingest.ingest_event(event(event_time=NOW + timedelta(days=2)))
    assert (store.puts, doorbell.rings) == ([], [])


async def test_a_failed_write_does_not_ring() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    store.faults = [ConnectionFailure("planted"), ConnectionFailure("planted")]
    with pytest.raises(ConnectionFailure):
        await ingest.ingest_event(event())
    with pytest.raises(ConnectionFailure):
        await ingest.ingest_batch([event()])
    assert doorbell.rings == []


async def test_a_batch_has_one_outcome_per_event_in_order() -> None:
    ingest, _ = ingest_into(store := FakeEventStore())
    await store.put([event("old"), event("taken")])
    outcomes = await ingest.ingest_batch(
        [
            event("old"),
            event("invalid", lead_id=""),
            event("new"),
            event("taken", source="crm"),
            event("new"),
            event("invalid", event_time=None),
            event("newer"),
        ]
    )
    found = [each if isinstance(each, Receipt) else (type(each), getattr(each, "field", "")) for each in outcomes]
    assert found == [
        DUPLICATE,
        (InvalidEvent, "lead_id"),
        NEW,
        (EventIdConflict, "event_id"),
        DUPLICATE,
        (InvalidEvent, "event_time"),
        NEW,
    ]


async def test_the_valid_events_of_a_batch_are_stored_without_the_invalid_ones() -> None:
    ingest, _ = ingest_into(store := FakeEventStore())
    await ingest.ingest_batch([event("a"), event("b", event_type=""), event("c")])
    assert store.puts == [[event("a"), event("c")]]


async def test_a_batch_of_invalid_events_is_not_written() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    outcomes = await ingest.ingest_batch([event(lead_id=""), event(event_type="")])
    assert [type(each) for each in outcomes] == [InvalidEvent, InvalidEvent]
    assert (store.puts, doorbell.rings) == ([], [])


async def test_a_batch_rings_only_for_its_new_events() -> None:
    ingest, doorbell = ingest_into(store := FakeEventStore())
    await store.put([event("same", lead_id="a"), event("other", lead_id="bb")])
    await ingest.ingest_batch(
        [
            event("same", lead_id="a"),
            event("other", lead_id="ccc"),
            event("invalid", lead_id="dddd", event_type=""),
            event("new", lead_id="eeeee"),
            event("newer", lead_id="ffffff"),
        ]
    )
    assert set(doorbell.rings) == {5, 6}


@pytest.mark.parametrize("count", [1, MAX_EVENTS])
async def test_a_batch_of_any_size_is_stored_in_one_put(count: int) -> None:
    ingest, _ = ingest_into(store := FakeEventStore())
    assert await ingest.ingest_batch(numbered(*range(count))) == [NEW] * count
    assert store.puts == [numbered(*range(count))]


async def test_a_cancelled_batch_call_lasts_until_the_batch_is_stored() -> None:
    ingest, _ = ingest_into(store := HeldEventStore())
    call = asyncio.create_task(ingest.ingest_batch(numbered(1, 2)))
    await store.begun.wait()
    call.cancel()
    done, _ = await asyncio.wait([call], timeout=0.1)
    assert not done, "expected the call to last as long as its write"
    store.go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 30)
    assert set(store.events) == {"e1", "e2"}


async def test_a_cancelled_batch_call_ends_at_its_deadline_even_if_the_write_does_not() -> None:
    ingest, _ = ingest_into(store := HeldEventStore())

    async def call_of_the_server() -> None:
        async with asyncio.timeout(0.1):
            await ingest.ingest_batch(numbered(1))

    call = asyncio.create_task(call_of_the_server())
    await store.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 30)
    store.go.set()
