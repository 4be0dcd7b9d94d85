"""A server with a store in memory, and a world in which the backlog of unscored events can grow and age."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import grpc
import pytest
from leadscore.ingest.v1 import ingest_pb2_grpc

from ingest_service.domain.backlog import BacklogTooOld, Limits
from ingest_service.domain.event import MAX_EVENTS
from ingest_service.store import MongoEventStore
from ingest_service.usecases.backlog import BacklogMonitor
from shared.contracts import events
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, FakeEventStore, event
from tests.ingest.requests import Stub, ingesting

LIMITS = Limits(timedelta(seconds=300), 1000)


class World:
    """A clock, a real inbox of pending events, and the monitor of its backlog."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        self.inbox = Inbox(database, events.CONTRACT, partitions=PARTITIONS)
        self.store = MongoEventStore(self.inbox, self.clock)
        self.monitor = BacklogMonitor(self.inbox, self.clock, limits=LIMITS, partitions=PARTITIONS)

    def clock(self) -> datetime:
        """Returns the time of this world."""
        return self.now

    async def put(self, lead_id: str, count: int, *, prefix: str = "") -> None:
        """Stores events of a lead."""
        for start in range(0, count, MAX_EVENTS):
            numbers = range(start, min(count, start + MAX_EVENTS))
            await self.store.put([event(f"{prefix}{lead_id}-{number}", lead_id=lead_id) for number in numbers])

    async def mark(self, event_id: str, state: str) -> None:
        """Sets the state of an event, as the scoring service would."""
        await self.inbox.rows.update_one({"_id": event_id}, {"$set": {"state": state}})

    async def refused(self, *lead_ids: str) -> list[type[Exception] | None]:
        """Refreshes the monitor and returns, per lead, why its events are refused."""
        await self.monitor.refresh()
        found = [self.monitor.refusal(lead_id) for lead_id in lead_ids]
        return [None if each is None else type(each) for each in found]

    async def all_refused(self) -> bool:
        """Refreshes the monitor and returns whether all events are refused."""
        await self.monitor.refresh()
        try:
            self.monitor.check_call()
        except BacklogTooOld:
            return True
        return False

    def lead_in(self, partition: int, *, name: str = "lead") -> str:
        """Returns a lead id that belongs to a partition."""
        names = (f"{name}-{number}" for number in range(10_000))
        return next(each for each in names if self.inbox.partition_of(each) == partition)


@pytest.fixture
async def world(database: Database) -> World:
    world = World(database)
    await world.inbox.migrate()
    return world


@pytest.fixture
def store() -> FakeEventStore:
    return FakeEventStore()


@pytest.fixture
async def channel(store: FakeEventStore) -> AsyncIterator[grpc.aio.Channel]:
    async with ingesting(store) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Stub:
    return ingest_pb2_grpc.IngestServiceStub(channel)
