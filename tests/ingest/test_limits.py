"""The largest batch of events is stored, whatever the driver has to cut it into."""

import pytest

from ingest_service.domain.event import MAX_EVENTS
from ingest_service.domain.properties import MAX_BYTES
from ingest_service.ports import PutResult
from ingest_service.store import MongoEventStore
from shared.contracts.events import CONTRACT
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, event

COMMAND_BYTES = 48 * 1024 * 1024
"""The largest command that MongoDB takes."""


@pytest.mark.parametrize("leads", [1, MAX_EVENTS])
async def test_a_group_of_the_largest_events_is_stored_and_stored_once(database: Database, leads: int) -> None:
    inbox = Inbox(database, CONTRACT, partitions=PARTITIONS)
    await inbox.migrate()
    events = MongoEventStore(inbox, lambda: NOW)
    properties = {f"p{number:02}": "x" * (MAX_BYTES // 16 - 20) for number in range(16)}
    largest = [event(f"e{n}", lead_id=f"lead{n % leads}", properties=properties) for n in range(MAX_EVENTS)]
    assert MAX_EVENTS * MAX_BYTES > COMMAND_BYTES, "expected more than fits into one command"
    assert await events.put(largest) == [PutResult.NEW] * MAX_EVENTS
    assert await events.put(largest) == [PutResult.DUPLICATE] * MAX_EVENTS
    assert await inbox.count_pending() == MAX_EVENTS
