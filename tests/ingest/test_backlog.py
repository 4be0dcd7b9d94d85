"""Events of leads and partitions that are behind are refused; all others are accepted."""

import asyncio
from datetime import datetime, timedelta

import pytest
from pymongo.errors import ConnectionFailure
from structlog.testing import capture_logs

from ingest_service.domain.backlog import MIN_EVENTS, LeadBacklog, LeadBehind, Limits, PartitionBehind, leads_to_refuse
from ingest_service.settings import IngestSettings
from ingest_service.store import heaviest_leads
from ingest_service.usecases import backlog as module
from ingest_service.usecases.backlog import BacklogMonitor
from shared.contracts import events
from shared.settings import StartupError, load
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.ingest.conftest import LIMITS, World
from tests.ingest.fakes import NOW

SECOND = timedelta(seconds=1)


async def test_a_partition_is_refused_alone_while_its_oldest_event_is_too_old(
    world: World,
) -> None:
    here, other = world.lead_in(1), world.lead_in(2)
    assert await world.refused(here, other) == [None, None], "nothing is pending"
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


async def test_a_lead_that_holds_up_its_partition_is_refused_instead_of_the_partition(world: World) -> None:
    heavy, neighbour = world.lead_in(1), world.lead_in(1, name="neighbour")
    await world.put(heavy, MIN_EVENTS)
    world.now += LIMITS.age + SECOND
    await world.put(neighbour, 10)
    assert await world.refused(heavy, neighbour) == [LeadBehind, None]


async def test_a_backlog_of_many_leads_refuses_their_partition(world: World) -> None:
    leads = [each for each in map(str, range(100)) if world.inbox.partition_of(each) == 1]
    for lead_id in leads:
        await world.put(lead_id, 100)
    world.now += LIMITS.age + SECOND
    assert await world.refused(leads[0], leads[-1], "new") == [
        PartitionBehind,
        PartitionBehind,
        PartitionBehind if world.inbox.partition_of("new") == 1 else None,
    ]


async def test_events_that_failed_in_isolation_do_not_count(world: World) -> None:
    await world.put("ada", 5)
    await world.inbox.rows.update_many({}, {"$set": {"attempts": 2}})
    world.now += 10 * LIMITS.age
    assert await world.refused("ada") == [None]


@pytest.mark.parametrize("state", [events.CONTRACT.done, "parked", "discarded"])
async def test_only_pending_events_count(world: World, state: str) -> None:
    await world.put("ada", 1)
    await world.mark("ada-0", state)
    world.now += 2 * LIMITS.age
    assert await world.refused("ada") == [None]


async def test_a_jump_of_the_clock_has_an_effect_only_until_its_events_are_scored(world: World) -> None:
    await world.put("ada", 1)
    world.now += timedelta(days=1)
    assert await world.refused("ada") == [PartitionBehind]
    await world.mark("ada-0", events.CONTRACT.done)
    await world.put("ada", 1, prefix="after")
    assert await world.refused("ada") == [None]
    world.now -= timedelta(days=2)
    assert await world.refused("ada") == [None], "an event accepted in the future has no age"


async def test_events_are_accepted_if_the_backlog_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.put("ada", 1)
    world.now += 2 * LIMITS.age
    assert await world.refused("ada") == [PartitionBehind]

    async def fails() -> dict[int, datetime]:
        raise ConnectionFailure("no server")

    monkeypatch.setattr(world.inbox, "waiting", fails)
    assert await world.refused("ada") == [None]


async def test_without_limits_the_backlog_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    no_limits = Limits(timedelta(0), 0)
    monitor = BacklogMonitor(world.inbox, world.clock, limits=no_limits, partitions=PARTITIONS)
    refreshes = 0

    async def refresh() -> None:
        nonlocal refreshes
        refreshes += 1

    monkeypatch.setattr(monitor, "refresh", refresh)
    async with running(monitor.run()):
        for _ in range(10):
            await asyncio.sleep(0)
    assert refreshes == 0
    monitor.check_call()


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        (Limits(timedelta(0), 0), set()),
        (Limits(timedelta(0), 700), {"many"}),
        (Limits(timedelta(seconds=50), 0), {"old"}),
        (Limits(timedelta(seconds=50), 400), {"many", "old", "some"}),
    ],
)
def test_leads_are_refused_for_their_number_or_their_age_and_share(limits: Limits, refused: set[str]) -> None:
    backlogs = {
        "many": LeadBacklog(800, timedelta(seconds=10)),
        "old": LeadBacklog(600, timedelta(seconds=60)),
        "some": LeadBacklog(499, timedelta(seconds=60)),
    }
    assert leads_to_refuse(backlogs, 2000, limits).keys() == refused
    small_share = Limits(timedelta(seconds=50), 0)
    assert leads_to_refuse(backlogs, 4000, small_share) == {}, "expected leads with a small share not to be refused"


async def test_counts_stop_at_their_limit(world: World) -> None:
    await world.put("ada", 30)
    await world.put("bob", 10)
    partition = world.inbox.partition_of("ada")
    assert await world.inbox.count_up_to(100) == 40
    assert await world.inbox.count_up_to(15) == 15
    assert await heaviest_leads(world.inbox, partition, 100, 20) == {"ada": (20, NOW)} | (
        {"bob": (10, NOW)} if world.inbox.partition_of("bob") == partition else {}
    )


async def test_the_log_reports_when_refusals_start_and_end(world: World) -> None:
    await world.put("ada", 1)
    world.now += 2 * LIMITS.age
    with capture_logs() as lines:
        for _ in range(3):
            await world.monitor.refresh()
        await world.mark("ada-0", events.CONTRACT.done)
        for _ in range(3):
            await world.monitor.refresh()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("refusing events", "warning"),
        ("accepting events again", "info"),
    ]
    assert lines[0]["oldest_seconds"] == 600
    assert lines[0]["partitions"] == [world.inbox.partition_of("ada")]


async def test_the_monitor_refreshes_periodically(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    refreshes = 0

    async def count() -> None:
        nonlocal refreshes
        refreshes += 1

    monkeypatch.setattr(world.monitor, "refresh", count)
    async with running(world.monitor.run()):
        await eventually(lambda: _at_least(refreshes, 3), what="three refreshes")


async def _at_least(found: int, number: int) -> bool:
    return found >= number


def test_a_limit_beyond_the_longest_duration_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_BACKLOG_SECONDS", "1e14")
    with pytest.raises(StartupError, match=r"^LEADSCORE_BACKLOG_SECONDS: "):
        load(IngestSettings)
