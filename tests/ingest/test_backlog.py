"""Events are refused while others have waited too long to be scored, and only then."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import grpc
import pytest
from pymongo.errors import ConnectionFailure
from structlog.testing import capture_logs

from ingest_service import usecases
from ingest_service.domain.backlog import RETRY_SECONDS, BacklogTooOld
from ingest_service.domain.event import MOST_EVENTS
from ingest_service.servicer import ERRORS, IngestServicer
from ingest_service.settings import IngestSettings
from ingest_service.store import DONE, INBOX, MongoEventStore
from ingest_service.usecases import Backlog, Ingest
from shared.calls import retry_seconds
from shared.groups import GroupCommit
from shared.inbox import Inbox
from shared.mongo import Database
from shared.pb.ingest.v1 import ingest_pb2 as pb
from shared.pb.ingest.v1 import ingest_pb2_grpc
from shared.settings import StartupError, load
from shared.tasks import running
from tests.conftest import PARTITIONS, eventually
from tests.ingest.fakes import NOW, FakeBell, event
from tests.serving import refusal, served

LIMIT = timedelta(seconds=300)
SECOND = timedelta(seconds=1)
EMPTY_BATCH = pb.BatchIngestEventsRequest()


class World:
    """A clock, and the events that wait in a real inbox."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        self.inbox = Inbox(database, INBOX, done=DONE, partitions=PARTITIONS)
        self.store = MongoEventStore(self.inbox, self.clock)
        self.backlog = Backlog(self.store.oldest_pending, self.clock, limit=LIMIT)

    def clock(self) -> datetime:
        """Tells the time."""
        return self.now

    async def mark(self, event_id: str, state: str) -> None:
        """Does with an event what others do."""
        await self.inbox.rows.update_one({"_id": event_id}, {"$set": {"state": state}})

    async def refuses(self) -> bool:
        """Looks, and tells whether events are refused then."""
        await self.backlog.look()
        try:
            self.backlog.check()
        except BacklogTooOld:
            return True
        return False


@pytest.fixture
async def world(database: Database) -> World:
    world = World(database)
    await world.inbox.migrate()
    return world


async def test_events_are_taken_until_the_oldest_has_waited_too_long(world: World) -> None:
    assert not await world.refuses(), "nothing waits"
    await world.store.put([event("old", lead_id="ada")])
    world.now += LIMIT
    await world.store.put([event("young", lead_id="bob")])
    assert not await world.refuses()
    world.now += SECOND
    assert await world.refuses()
    await world.mark("old", DONE)
    assert not await world.refuses()


@pytest.mark.parametrize("state", [DONE, "parked"])
async def test_only_what_is_pending_waits(world: World, state: str) -> None:
    await world.store.put([event("old")])
    await world.mark("old", state)
    world.now += 2 * LIMIT
    assert not await world.refuses()


async def test_a_clock_that_jumped_is_believed_only_until_what_it_stamped_is_scored(world: World) -> None:
    await world.store.put([event("before")])
    world.now += timedelta(days=1)
    assert await world.refuses()
    await world.mark("before", DONE)
    await world.store.put([event("after")])
    assert not await world.refuses()
    world.now -= timedelta(days=2)
    assert not await world.refuses(), "an event of the future has not waited"


async def test_events_are_taken_when_nobody_knows_how_long_others_wait(world: World) -> None:
    await world.store.put([event("old")])
    world.now += 2 * LIMIT
    assert await world.refuses()

    async def fails() -> datetime:
        raise ConnectionFailure("no server")

    world.backlog._oldest = fails
    assert not await world.refuses()


async def test_without_a_limit_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecases, "LOOK_SECONDS", 0)

    async def fails() -> datetime:
        raise AssertionError

    backlog = Backlog(fails, lambda: NOW, limit=timedelta(0))
    async with running(backlog.watch()):
        for _ in range(10):
            await asyncio.sleep(0)
    backlog.check()


async def test_the_log_says_when_it_begins_and_when_it_ends(world: World) -> None:
    await world.store.put([event("old")])
    world.now += 2 * LIMIT
    with capture_logs() as lines:
        for _ in range(3):
            await world.backlog.look()
        await world.mark("old", DONE)
        for _ in range(3):
            await world.backlog.look()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("events are refused", "warning"),
        ("events are taken again", "info"),
    ]
    assert lines[0]["oldest_seconds"] == 600


@pytest.fixture
async def stub(world: World) -> AsyncIterator["ingest_pb2_grpc.IngestServiceAsyncStub"]:
    group = GroupCommit(world.store.put, most=MOST_EVENTS, seconds=5)
    servicer = IngestServicer(Ingest(world.store, group, FakeBell(), world.clock))
    async with served(
        ERRORS,
        lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(servicer, server),
        gate=world.backlog.check,
    ) as channel:
        yield ingest_pb2_grpc.IngestServiceStub(channel)


@pytest.mark.parametrize("batch", [False, True])
async def test_callers_are_told_why_and_when_to_come_back(
    world: World, stub: "ingest_pb2_grpc.IngestServiceAsyncStub", batch: bool
) -> None:
    await world.store.put([event("old")])
    world.now += 2 * LIMIT
    assert await world.refuses()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (stub.BatchIngestEvents(EMPTY_BATCH) if batch else stub.IngestEvent(pb.IngestEventRequest()))
    assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKLOG_TOO_OLD", [])
    assert "600 s, more than 300 s: start scoring workers" in (caught.value.details() or "")
    asked = retry_seconds(caught.value)
    assert asked is not None
    assert 0.5 * RETRY_SECONDS <= asked <= 1.5 * RETRY_SECONDS
    assert await world.inbox.rows.count_documents({}) == 1


async def test_the_watch_looks_again_and_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecases, "LOOK_SECONDS", 0.01)
    looks = 0

    async def count() -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(world.backlog, "look", count)
    async with running(world.backlog.watch()):
        await eventually(lambda: _at_least(looks, 3), what="three looks")


async def _at_least(found: int, number: int) -> bool:
    return found >= number


def test_a_span_of_more_than_a_day_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_BACKLOG_SECONDS", "1e14")
    with pytest.raises(StartupError, match=r"^LEADSCORE_BACKLOG_SECONDS: "):
        load(IngestSettings)
