"""What ingest writes and looks up names the partitions of its rows."""

from ingest_service.store import MongoEventStore
from shared.contracts.events import CONTRACT
from shared.inbox.collection import Inbox
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, event
from tests.shared.commands import overheard
from tests.shared.pins import unpinned


async def test_writing_events_and_looking_up_duplicates_name_their_partitions(database_uri: str) -> None:
    async with overheard(database_uri) as (database, commands):
        inbox = Inbox(database, CONTRACT, partitions=PARTITIONS)
        await inbox.migrate()
        events = MongoEventStore(inbox, lambda: NOW)
        commands.sent.clear()
        await events.put([event("a"), event("b", lead_id="bob")])
        await events.put([event("a"), event("b", lead_id="bob"), event("c", lead_id="cyd")])
        assert commands.names == ["insert", "insert", "find"]
        assert unpinned(commands) == set()
        elsewhere = next(each for each in map(str, range(99)) if inbox.partition_of(each) != inbox.partition_of("bob"))
        await events.put([event("b", lead_id=elsewhere)])
        assert unpinned(commands) == {("find", "events")}, "expected an id of another partition to be looked up alone"
