"""The contract of event stores, in memory and in MongoDB, followed by tests of MongoDB alone."""

import asyncio
import itertools
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_service.domain.errors import EventIdConflict
from ingest_service.domain.event import MAX_EVENTS, Event
from ingest_service.domain.properties import Shortening
from ingest_service.ports import EventStore, PutOutcome, PutResult
from ingest_service.store import EventIds, MongoEventStore
from shared.contracts.events import CONTRACT, OPTIONAL, digest_of
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.ingest.fakes import EVENT, NOW, FakeEventStore, event

NEW, DUPLICATE = PutResult.NEW, PutResult.DUPLICATE
HOUR = timedelta(hours=1)
LATER = NOW + HOUR

SHORTENING = Shortening(("note",), 2)

ON_ONE_STORE = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For properties whose examples share a store; each example uses its own ids."""
COUNT = itertools.count()

NAMES = st.sampled_from(["", "a", "b", "a.b", ".", "$set", "$ref", "$db", "_id", "0"]) | st.text("aé😀", max_size=3)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
PLAIN = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
PROPERTIES = st.dictionaries(NAMES, VALUES, max_size=4)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    inbox = Inbox(database, CONTRACT, partitions=PARTITIONS)
    await inbox.migrate()
    return inbox


@pytest.fixture
def events(inbox: Inbox) -> MongoEventStore:
    return MongoEventStore(inbox, lambda: LATER)


@pytest.fixture(params=["memory", "mongodb", "sharded"])
def store(request: pytest.FixtureRequest, events: MongoEventStore, inbox: Inbox, database: Database) -> EventStore:
    if request.param == "sharded":
        return MongoEventStore(inbox, lambda: LATER, EventIds(database))
    return FakeEventStore() if request.param == "memory" else events


async def put(store: EventStore, *events: Event) -> list[PutResult | tuple[str, ...]]:
    """Puts events. Returns one result per event; for a conflict, the fields that differ."""
    return [_shown(result) for result in await store.put(events)]


def _shown(result: PutOutcome) -> PutResult | tuple[str, ...]:
    if isinstance(result, PutResult):
        return result
    assert isinstance(result, EventIdConflict)
    return result.differing_fields


async def test_an_event_is_new_once_and_then_a_duplicate(store: EventStore) -> None:
    assert await store.put([event()]) == [NEW]
    for _ in range(2):
        assert await store.put([event()]) == [DUPLICATE]


async def test_results_are_in_the_order_of_the_events(store: EventStore) -> None:
    assert await store.put([event("b"), event("d")]) == [NEW, NEW]
    asked = [event("a"), event("b"), event("c"), event("d", source="crm"), event("e"), event("b")]
    assert await put(store, *asked) == [NEW, DUPLICATE, NEW, ("source",), NEW, DUPLICATE]


async def test_the_first_event_with_an_id_in_a_batch_is_stored(store: EventStore) -> None:
    asked = [event("a"), event("a"), event("a", lead_id="bob"), event("b", lead_id="bob"), event("b"), event("a")]
    assert await put(store, *asked) == [NEW, DUPLICATE, ("lead_id",), NEW, ("lead_id",), DUPLICATE]
    assert await store.put([event("a"), event("b", lead_id="bob")]) == [DUPLICATE, DUPLICATE]


async def test_a_whole_batch_can_be_put_again(store: EventStore) -> None:
    asked = [event(f"e{number}") for number in range(MAX_EVENTS)]
    assert await store.put(asked) == [NEW] * MAX_EVENTS
    assert await store.put([*reversed(asked)]) == [DUPLICATE] * MAX_EVENTS


@pytest.mark.parametrize(
    "fields",
    [
        {"lead_id": "bob"},
        {"lead_id": "Ada"},
        {"event_type": "signup"},
        {"event_time": NOW + timedelta(milliseconds=1)},
        {"event_time": NOW - timedelta(milliseconds=1)},
        {"source": ""},
        {"source": "website "},
        {"properties": {}},
    ],
)
async def test_an_event_that_differs_in_any_field_is_a_conflict_and_changes_nothing(
    store: EventStore, fields: dict[str, Any]
) -> None:
    await store.put([event()])
    assert await put(store, event(**fields)) == [tuple(fields)]
    assert await store.put([event()]) == [DUPLICATE], "expected the first event to be kept"


async def test_a_conflict_names_every_field_that_differs(store: EventStore) -> None:
    await store.put([event()])
    other = event(lead_id="bob", event_type="signup", event_time=LATER, properties={}, source="")
    assert await put(store, other) == [("lead_id", "event_type", "event_time", "properties", "source")]


async def test_an_event_that_is_sent_again_is_a_duplicate_and_keeps_its_time(store: EventStore) -> None:
    asked = event(event_time=NOW - HOUR, original_time=NOW - 3 * HOUR, sent_time=NOW - 2 * HOUR)
    again = asked._replace(event_time=NOW, sent_time=NOW - 3 * HOUR)
    assert await put(store, asked, again, event(event_time=NOW - 3 * HOUR)) == [NEW, DUPLICATE, DUPLICATE]
    assert await put(store, asked._replace(original_time=NOW), event(event_time=NOW - HOUR)) == [("event_time",)] * 2
    assert await put(store, asked._replace(historical=True)) == [DUPLICATE]
    await store.put([event("e2")])
    assert await put(store, event("e2", event_time=LATER, original_time=NOW, sent_time=NOW)) == [DUPLICATE]


async def test_properties_that_say_how_a_message_travelled_are_not_compared(store: EventStore) -> None:
    first = {"form": "demo", "sentAt": "2026-11-26T09:00:01Z", "receivedAt": "2026-11-26T09:00:02Z"}
    await store.put([event(properties=first)])
    again = [{**first, "sentAt": "later"}, {"form": "demo"}, {"form": "demo", "$sent_at": 1.0, "received_at": None}]
    assert await put(store, *(event(properties=each) for each in again)) == [DUPLICATE] * 3
    others = [{**first, "form": "trial"}, {"sentAt": "later"}, {**first, "deep": {"sentAt": 1.0}}]
    assert await put(store, *(event(properties=each) for each in others)) == [("properties",)] * 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, 0.0),
        (None, ""),
        (1.0, 1.5),
        (1.0, "1"),
        (1.0, True),
        (0.0, False),
        (0.3, 0.1 + 0.2),
        (2.0**53, 2.0**53 + 2),
        (5e-324, 0.0),
        ("é", "e\u0301"),
        ("a", "A"),
        ([], {}),
        ([1.0, 2.0], [2.0, 1.0]),
        ([1.0], [1.0, 1.0]),
        ([[True]], [[1.0]]),
        ({"a": {"b": "c"}}, {"a": {"b": "d"}}),
        ({"a": None}, {}),
        ({"a": [{"b": 0.0}]}, {"a": [{"b": False}]}),
    ],
)
async def test_events_with_different_properties_are_a_conflict(store: EventStore, one: object, other: object) -> None:
    for number, (first, second) in enumerate([(one, other), (other, one)]):
        await store.put([event(f"e{number}", properties={"value": first})])
        again = await put(store, event(f"e{number}", properties={"value": second}))
        assert again == [("properties",)], f"expected {first!r} and {second!r} to differ"


async def test_a_missing_property_differs_from_null(store: EventStore) -> None:
    await store.put([event(properties={"a": None})])
    assert await put(store, event(properties={})) == [("properties",)]


async def test_the_order_of_properties_does_not_matter(store: EventStore) -> None:
    await store.put([event(properties={"a": 1.0, "b": {"c": 1.0, "d": 2.0}})])
    assert await store.put([event(properties={"b": {"d": 2.0, "c": 1.0}, "a": 1.0})]) == [DUPLICATE]


@ON_ONE_STORE
@given(PROPERTIES)
async def test_the_same_event_is_a_duplicate_whatever_its_properties(
    store: EventStore, properties: dict[str, Any]
) -> None:
    asked = event(f"e{next(COUNT)}", properties=properties)
    assert [*await store.put([asked]), *await store.put([asked])] == [NEW, DUPLICATE]


async def test_events_of_a_lead_share_a_partition(store: EventStore) -> None:
    leads = [f"lead-{'x' * number}" for number in range(50)]
    partitions = [store.partition_of(lead) for lead in leads]
    assert partitions == [store.partition_of(lead) for lead in leads]
    assert set(partitions) <= set(range(PARTITIONS))
    assert len(set(partitions)) > 1


@ON_ONE_STORE
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=12), max_size=4))
async def test_any_batches_have_the_same_results_as_in_memory(
    events: MongoEventStore, batches: list[list[tuple[int, int]]]
) -> None:
    fake, example_ = FakeEventStore(), next(COUNT)
    for batch in batches:
        asked = [event(f"{example_}-{number}", properties={"version": float(version)}) for number, version in batch]
        assert await put(events, *asked) == await put(fake, *asked)


async def test_a_row_is_a_pending_event_in_its_partition(events: MongoEventStore, inbox: Inbox) -> None:
    await events.put([event()])
    assert await inbox.rows.find().to_list() == [
        {
            "_id": EVENT.event_id,
            "schema_version": 1,
            "lead_id": EVENT.lead_id,
            "event_type": EVENT.event_type,
            "event_time": EVENT.event_time,
            "properties": EVENT.properties,
            "digest": digest_of(EVENT.properties),
            "source": EVENT.source,
            "partition": events.partition_of(EVENT.lead_id),
            "state": "pending",
            "accept_time": LATER,
        }
    ]
    assert await inbox.waiting() == {events.partition_of("ada"): LATER}


async def test_a_row_has_optional_fields_only_if_they_are_set(events: MongoEventStore, inbox: Inbox) -> None:
    await events.put(
        [event("plain"), event("marked", historical=True, sent_time=NOW, original_time=LATER, shortening=SHORTENING)]
    )
    marked, plain = await inbox.rows.find().sort("_id").to_list()
    shortened = {"cut": ["note"], "left_out": 2}
    given = {"historical": True, "sent_time": NOW, "original_event_time": LATER, "shortened": shortened}
    assert marked == marked | given
    assert plain.keys() & set(OPTIONAL) == set()


async def test_a_scored_event_keeps_no_properties_and_is_still_compared_in_all_fields(
    events: MongoEventStore, inbox: Inbox
) -> None:
    await events.put([event()])
    await inbox.mark(await inbox.pending(range(PARTITIONS), 10))
    asked = [event(), event(source="crm", lead_id="bob"), event(properties={"page": "/pricing", "seconds": 13.0})]
    assert await put(events, *asked) == [DUPLICATE, ("lead_id", "source"), ("properties",)]
    [row] = await inbox.rows.find().to_list()
    assert (row["state"], "properties" in row) == (CONTRACT.done, False)


async def test_of_concurrent_puts_of_the_same_events_exactly_one_is_new(events: MongoEventStore, inbox: Inbox) -> None:
    asked = [event(f"e{number:03}") for number in range(200)]
    orders = [random.Random(seed).sample(asked, len(asked)) for seed in range(6)]
    found = await asyncio.gather(*(events.put(order) for order in orders))
    outcomes: dict[str, list[PutOutcome]] = {each.event_id: [] for each in asked}
    for each, outcome in zip(itertools.chain(*orders), itertools.chain(*found), strict=True):
        outcomes[each.event_id].append(outcome)
    for event_id, each_found in outcomes.items():
        assert (each_found.count(NEW), each_found.count(DUPLICATE)) == (1, 5), f"{event_id}: {each_found}"
    assert await inbox.rows.count_documents({}) == 200


async def test_of_concurrent_puts_of_different_events_with_one_id_exactly_one_is_stored(
    events: MongoEventStore, inbox: Inbox
) -> None:
    rivals = [[event(f"e{number}", lead_id=lead) for number in range(100)] for lead in ("ada", "bob", "cyd")]
    found = await asyncio.gather(*map(events.put, rivals))
    stored = {row["_id"]: row["lead_id"] async for row in inbox.rows.find()}
    for number, outcomes in enumerate(zip(*found, strict=True)):
        assert sorted(isinstance(each, EventIdConflict) for each in outcomes) == [False, True, True]
        winner = rivals[outcomes.index(NEW)][number]
        assert stored[winner.event_id] == winner.lead_id, "expected the NEW event to be the stored one"
