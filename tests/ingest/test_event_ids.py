"""The collection `event_ids` of a sharded database."""

import pytest

from ingest_service.domain.errors import EventIdConflict
from ingest_service.ports import PutResult
from ingest_service.store import EventIds, MongoEventStore
from shared.contracts.events import CONTRACT
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, event


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    inbox = Inbox(database, CONTRACT, partitions=PARTITIONS)
    await inbox.migrate()
    return inbox


async def test_an_id_is_unique_across_partitions_even_if_the_shard_of_its_event_is_not_asked(
    database: Database, inbox: Inbox
) -> None:
    events = MongoEventStore(inbox, lambda: NOW, EventIds(database))
    assert await events.put([event("a")]) == [PutResult.NEW]
    await inbox.rows.delete_one({"_id": "a"})  # as if it were on another shard
    elsewhere = next(each for each in map(str, range(99)) if inbox.partition_of(each) != inbox.partition_of("ada"))
    [conflict] = await events.put([event("a", lead_id=elsewhere)])
    assert isinstance(conflict, EventIdConflict)
    assert conflict.differing_fields == ("lead_id",)
    assert await inbox.rows.count_documents({}) == 0


async def test_sending_an_event_again_completes_it_after_only_its_id_was_stored(
    database: Database, inbox: Inbox
) -> None:
    event_ids = EventIds(database)
    await event_ids.reserve([{"_id": "a", "partition": inbox.partition_of("ada")}])
    events = MongoEventStore(inbox, lambda: NOW, event_ids)
    assert await events.put([event("a"), event("a")]) == [PutResult.NEW, PutResult.DUPLICATE]


async def test_the_ids_of_stored_events_are_added_once_and_servers_then_keep_the_collection(
    database: Database, inbox: Inbox
) -> None:
    event_ids, leads = EventIds(database), ("ada", "bob", "cyd")
    await MongoEventStore(inbox, lambda: NOW).put([event(lead_id, lead_id=lead_id) for lead_id in leads])
    assert not await event_ids.are_kept()
    for _ in range(2):
        await event_ids.begin()
    assert await event_ids.are_kept()
    found = {row["_id"]: row["partition"] async for row in database["event_ids"].find()}
    assert found == {lead_id: inbox.partition_of(lead_id) for lead_id in leads}
