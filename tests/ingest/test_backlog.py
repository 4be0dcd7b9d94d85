"""Events of what is behind are refused, by lead or by partition; all others are taken."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import grpc
import pytest
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc
from pymongo.errors import ConnectionFailure
from structlog.testing import capture_logs

from ingest_service.domain.backlog import (
    MIN_EVENTS,
    RETRY_SECONDS,
    BacklogTooOld,
    LeadBehind,
    LeadWaiting,
    Limits,
    PartitionBehind,
    heavy_leads,
)
from ingest_service.domain.event import MAX_EVENTS
from ingest_service.servicer import ERRORS, IngestServicer
from ingest_service.settings import IngestSettings
from ingest_service.store import MongoEventStore, MongoWaiting
from ingest_service.usecases import backlog as backlog_module
from ingest_service.usecases.backlog import Backlog
from ingest_service.usecases.ingest import Ingest
from shared import wire
from shared.contracts import events
from shared.deadlines import retry_seconds
from shared.group_commit import GroupCommit
from shared.inbox.collection import Inbox
from shared.mongo import Database
from shared.settings import StartupError, load
from shared.tasks import running
from testkit.serving import refusal, served
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, FakeBell, event

LIMITS = Limits(timedelta(seconds=300), 1000)
SECOND = timedelta(seconds=1)
EMPTY_BATCH = pb.BatchIngestEventsRequest()


class World:
    """A clock, and the events that wait in a real inbox."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        self.inbox = Inbox(database, events.CONTRACT, partitions=PARTITIONS)
        self.store = MongoEventStore(self.inbox, self.clock)
        self.backlog = Backlog(MongoWaiting(self.inbox), self.clock, limits=LIMITS, partitions=PARTITIONS)

    def clock(self) -> datetime:
        """Tells the time."""
        return self.now

    async def put(self, lead_id: str, count: int, *, prefix: str = "") -> None:
        """Puts events of a lead."""
        for start in range(0, count, MAX_EVENTS):
            numbers = range(start, min(count, start + MAX_EVENTS))
            await self.store.put([event(f"{prefix}{lead_id}-{number}", lead_id=lead_id) for number in numbers])

    async def mark(self, event_id: str, state: str) -> None:
        """Does with an event what others do."""
        await self.inbox.rows.update_one({"_id": event_id}, {"$set": {"state": state}})

    async def refused(self, *lead_ids: str) -> list[type[Exception] | None]:
        """Looks, and returns why an event of each lead is refused then."""
        await self.backlog.look()
        found = [self.backlog.refusal(lead_id, self.inbox.partition_of(lead_id)) for lead_id in lead_ids]
        return [None if each is None else type(each) for each in found]

    async def all_refused(self) -> bool:
        """Looks, and tells whether all events are refused then."""
        await self.backlog.look()
        try:
            self.backlog.check()
        except BacklogTooOld:
            return True
        return False

    def lead_in(self, partition: int, *, name: str = "lead") -> str:
        """Returns a lead of a partition."""
        names = (f"{name}-{number}" for number in range(10_000))
        return next(each for each in names if self.inbox.partition_of(each) == partition)


@pytest.fixture
async def world(database: Database) -> World:
    world = World(database)
    await world.inbox.migrate()
    return world


async def test_a_partition_is_refused_when_its_oldest_event_has_waited_too_long_and_others_are_taken(
    world: World,
) -> None:
    here, other = world.lead_in(1), world.lead_in(2)
    assert await world.refused(here, other) == [None, None], "nothing waits"
    await world.put(here, 1)
    world.now += LIMITS.age
    await world.put(other, 1)
    assert await world.refused(here, other) == [None, None]
    world.now += SECOND
    assert await world.refused(here, other) == [PartitionBehind, None]
    assert not await world.all_refused()
    await world.mark(f"{here}-0", events.CONTRACT.done)
    assert await world.refused(here, other) == [None, None]


async def test_all_events_are_refused_only_when_all_partitions_are_behind(world: World) -> None:
    for partition in range(PARTITIONS):
        await world.put(world.lead_in(partition), 1)
    world.now += 2 * LIMITS.age
    assert await world.all_refused()
    await world.mark(f"{world.lead_in(3)}-0", events.CONTRACT.done)
    assert not await world.all_refused()


async def test_a_lead_with_too_many_events_is_refused_alone(world: World) -> None:
    heavy, neighbour = world.lead_in(1), world.lead_in(1, name="neighbour")
    await world.put(heavy, LIMITS.lead_events)
    await world.put(neighbour, 10)
    assert await world.refused(heavy, neighbour) == [None, None]
    await world.put(heavy, 1, prefix="more")
    assert await world.refused(heavy, neighbour) == [LeadBehind, None]
    await world.mark(f"{heavy}-0", events.CONTRACT.done)
    assert await world.refused(heavy, neighbour) == [None, None]


async def test_a_lead_that_holds_its_partition_up_is_refused_in_place_of_the_partition(world: World) -> None:
    heavy, neighbour = world.lead_in(1), world.lead_in(1, name="neighbour")
    await world.put(heavy, MIN_EVENTS)
    world.now += LIMITS.age + SECOND
    await world.put(neighbour, 10)
    assert await world.refused(heavy, neighbour) == [LeadBehind, None]


async def test_a_backlog_of_many_leads_is_that_of_their_partition(world: World) -> None:
    leads = [each for each in map(str, range(100)) if world.inbox.partition_of(each) == 1]
    for lead_id in leads:
        await world.put(lead_id, 100)
    world.now += LIMITS.age + SECOND
    assert await world.refused(leads[0], leads[-1], "new") == [
        PartitionBehind,
        PartitionBehind,
        PartitionBehind if world.inbox.partition_of("new") == 1 else None,
    ]


async def test_events_that_failed_alone_are_no_reason_to_refuse(world: World) -> None:
    await world.put("ada", 5)
    await world.inbox.rows.update_many({}, {"$set": {"attempts": 2}})
    world.now += 10 * LIMITS.age
    assert await world.refused("ada") == [None]


@pytest.mark.parametrize("state", [events.CONTRACT.done, "parked", "discarded"])
async def test_only_what_is_pending_waits(world: World, state: str) -> None:
    await world.put("ada", 1)
    await world.mark("ada-0", state)
    world.now += 2 * LIMITS.age
    assert await world.refused("ada") == [None]


async def test_a_clock_that_jumped_is_believed_only_until_what_it_stamped_is_scored(world: World) -> None:
    await world.put("ada", 1)
    world.now += timedelta(days=1)
    assert await world.refused("ada") == [PartitionBehind]
    await world.mark("ada-0", events.CONTRACT.done)
    await world.put("ada", 1, prefix="after")
    assert await world.refused("ada") == [None]
    world.now -= timedelta(days=2)
    assert await world.refused("ada") == [None], "an event of the future has not waited"


async def test_events_are_taken_when_nobody_knows_how_long_others_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.put("ada", 1)
    world.now += 2 * LIMITS.age
    assert await world.refused("ada") == [PartitionBehind]

    async def fails() -> dict[int, datetime]:
        raise ConnectionFailure("no server")

    monkeypatch.setattr(world.inbox, "waiting", fails)
    assert await world.refused("ada") == [None]


async def test_without_limits_nobody_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    no_limits = Limits(timedelta(0), 0)
    backlog = Backlog(MongoWaiting(world.inbox), world.clock, limits=no_limits, partitions=PARTITIONS)
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(backlog, "look", look)
    async with running(backlog.watch()):
        for _ in range(10):
            await asyncio.sleep(0)
    assert looks == 0
    backlog.check()


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        (Limits(timedelta(0), 0), set()),
        (Limits(timedelta(0), 700), {"many"}),
        (Limits(timedelta(seconds=50), 0), {"old"}),
        (Limits(timedelta(seconds=50), 400), {"many", "old", "some"}),
    ],
)
def test_which_leads_are_heavy(limits: Limits, refused: set[str]) -> None:
    waiting = {
        "many": LeadWaiting(800, timedelta(seconds=10)),
        "old": LeadWaiting(600, timedelta(seconds=60)),
        "some": LeadWaiting(499, timedelta(seconds=60)),
    }
    assert heavy_leads(waiting, 2000, limits).keys() == refused
    small_share = Limits(timedelta(seconds=50), 0)
    assert heavy_leads(waiting, 4000, small_share) == {}, "the others are no less the cause"


async def test_counting_stops_and_runs_on_index_keys(world: World) -> None:
    await world.put("ada", 30)
    await world.put("bob", 10)
    waiting, partition = MongoWaiting(world.inbox), world.inbox.partition_of("ada")
    assert await waiting.count(None, 100) == 40
    assert await waiting.count(None, 15) == 15
    assert await waiting.heaviest(partition, 100, 20) == {"ada": (20, NOW)} | (
        {"bob": (10, NOW)} if world.inbox.partition_of("bob") == partition else {}
    )


async def test_the_log_says_when_it_begins_and_when_it_ends(world: World) -> None:
    await world.put("ada", 1)
    world.now += 2 * LIMITS.age
    with capture_logs() as lines:
        for _ in range(3):
            await world.backlog.look()
        await world.mark("ada-0", events.CONTRACT.done)
        for _ in range(3):
            await world.backlog.look()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("events are refused", "warning"),
        ("events are taken again", "info"),
    ]
    assert lines[0]["oldest_seconds"] == 600
    assert lines[0]["partitions"] == [world.inbox.partition_of("ada")]


@pytest.fixture
async def stub(world: World) -> AsyncIterator["ingest_pb2_grpc.IngestServiceAsyncStub"]:
    group = GroupCommit(world.store.put, limit=MAX_EVENTS, seconds=5)
    servicer = IngestServicer(Ingest(world.store, group, FakeBell(), world.clock, world.backlog.refusal))
    async with served(
        ERRORS,
        lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(servicer, server),
        gate=world.backlog.check,
    ) as channel:
        yield ingest_pb2_grpc.IngestServiceStub(channel)


def message(event_id: str, lead_id: str) -> pb.Event:
    return pb.Event(event_id=event_id, lead_id=lead_id, event_type="page_view", event_time=wire.to_timestamp(NOW))


@pytest.mark.parametrize("batch", [False, True])
async def test_callers_are_told_that_everything_is_behind_and_when_to_come_back(
    world: World, stub: "ingest_pb2_grpc.IngestServiceAsyncStub", batch: bool
) -> None:
    for partition in range(PARTITIONS):
        await world.put(world.lead_in(partition), 1)
    world.now += 2 * LIMITS.age
    assert await world.all_refused()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (stub.BatchIngestEvents(EMPTY_BATCH) if batch else stub.IngestEvent(pb.IngestEventRequest()))
    assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKLOG_TOO_OLD", [])
    assert "600 s, more than 300 s: start scoring workers" in (caught.value.details() or "")
    asked = retry_seconds(caught.value)
    assert asked is not None
    assert 0.5 * RETRY_SECONDS <= asked <= 1.5 * RETRY_SECONDS


@pytest.mark.parametrize(("count", "reason"), [(1, "PARTITION_BEHIND"), (1001, "LEAD_BEHIND")])
async def test_one_call_is_told_what_is_behind(
    world: World, stub: "ingest_pb2_grpc.IngestServiceAsyncStub", count: int, reason: str
) -> None:
    behind, other = world.lead_in(1), world.lead_in(2)
    await world.put(behind, count)
    world.now += 2 * LIMITS.age
    await world.backlog.look()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(pb.IngestEventRequest(event=message("x", behind)))
    assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason, [])
    assert 0.5 * RETRY_SECONDS <= (retry_seconds(caught.value) or 0) <= 1.5 * RETRY_SECONDS
    taken = await stub.IngestEvent(pb.IngestEventRequest(event=message("x", other)))
    assert taken.outcome == pb.OUTCOME_ACCEPTED
    assert await world.inbox.rows.count_documents({}) == count + 1


async def test_the_others_of_a_batch_are_taken(world: World, stub: "ingest_pb2_grpc.IngestServiceAsyncStub") -> None:
    heavy, neighbour, other = world.lead_in(1), world.lead_in(1, name="neighbour"), world.lead_in(2)
    await world.put(heavy, LIMITS.lead_events + 1)
    await world.backlog.look()
    events = [
        message("a", heavy),
        message("b", neighbour),
        message("c", heavy),
        message("", heavy),
        message("d", other),
    ]
    answer = await stub.BatchIngestEvents(pb.BatchIngestEventsRequest(events=events))
    assert [each.outcome for each in answer.outcomes] == [
        pb.OUTCOME_RETRY_LATER,
        pb.OUTCOME_ACCEPTED,
        pb.OUTCOME_RETRY_LATER,
        pb.OUTCOME_REJECTED,
        pb.OUTCOME_ACCEPTED,
    ]
    later = answer.outcomes[0]
    assert (later.event_id, later.reason, later.field) == ("a", pb.ERROR_REASON_LEAD_BEHIND, "")
    assert "1,001 events or more of this lead wait to be scored" in later.message
    assert 0.5 * RETRY_SECONDS <= later.retry_delay.ToTimedelta().total_seconds() <= 1.5 * RETRY_SECONDS
    assert await world.inbox.rows.count_documents({"_id": {"$in": ["a", "c"]}}) == 0


async def test_the_watch_looks_again_and_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "LOOK_SECONDS", 0.01)
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
