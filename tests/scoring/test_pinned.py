"""Every hot command names the partitions of its rows, so that a transaction over one partition stays on one shard."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from scoring_service.domain.preview import Hypothesis
from scoring_service.domain.refold import CHECKPOINT_FACTS
from scoring_service.store.lead_rows import MIN_REINSERTED
from scoring_service.usecases.corrections import AdjustmentRequest
from shared.partitions import Partitions
from tests.conftest import PARTITIONS
from tests.scoring.conftest import NOW, Scoring, days_ago, new_scoring
from tests.shared.commands import Commands, overheard
from tests.shared.pins import outside, transactions, unpinned


@pytest.fixture
async def heard(database_uri: str) -> AsyncIterator[tuple[Scoring, Commands]]:
    """A service over an empty database, as if it had two shards, and what it sends from now on."""
    async with overheard(database_uri) as (database, commands):
        scoring = await new_scoring(database)
        scoring.events.partitions = Partitions(PARTITIONS, shards=2)
        commands.sent.clear()
        yield scoring, commands


def neighbours(scoring: Scoring, count: int) -> list[str]:
    """Returns leads of the partition of `ada`."""
    partition = scoring.events.partition_of("ada")
    found = (f"lead{number}" for number in range(10_000))
    return [each for each in found if scoring.events.partition_of(each) == partition][:count]


async def seed(scoring: Scoring, *leads: str, events: int = 3) -> None:
    """Scores events of some leads."""
    for lead_id in leads:
        times = [(NOW - timedelta(days=30, minutes=-number)) for number in range(events)]
        await scoring.put(*((f"{lead_id}-{number}", lead_id, "signup", time) for number, time in enumerate(times)))
    await scoring.drain_all()


async def test_a_drain_sends_everything_in_one_transaction_on_one_partition(heard: tuple[Scoring, Commands]) -> None:
    scoring, commands = heard
    partition, [long, short] = scoring.events.partition_of("ada"), neighbours(scoring, 2)
    await seed(scoring, long, events=2 * CHECKPOINT_FACTS)
    await seed(scoring, short)
    # A new lead, a late event after many facts, a late event after few, and an event in its order.
    await scoring.put(
        ("new", "ada", "signup", NOW),
        ("late", long, "page_view", days_ago(29.9)),
        ("late-too", short, "page_view", days_ago(31)),
        ("next", short, "page_view", NOW),
    )
    commands.sent.clear()
    assert await scoring.drain.step([partition], 500) > 0
    assert transactions(commands) == [{partition}]
    assert outside(commands) == set()


async def test_a_drain_of_many_leads_stays_on_one_partition(heard: tuple[Scoring, Commands]) -> None:
    scoring, commands = heard
    leads = neighbours(scoring, MIN_REINSERTED)
    await scoring.put(*((f"{lead_id}-1", lead_id, "signup", NOW) for lead_id in leads))
    commands.sent.clear()
    assert await scoring.drain.step([scoring.events.partition_of("ada")], 500) == len(leads)
    assert transactions(commands) == [{scoring.events.partition_of("ada")}]
    assert outside(commands) == set()


async def test_the_slow_lane_pins_what_it_reads_and_writes(heard: tuple[Scoring, Commands]) -> None:
    scoring, commands = heard
    await seed(scoring, "ada", events=2 * CHECKPOINT_FACTS)
    await scoring.put(("late", "ada", "page_view", days_ago(31)))
    commands.sent.clear()
    await scoring.slow_lane.drain("ada", ["late"])
    assert transactions(commands) == [{scoring.events.partition_of("ada")}]
    assert unpinned(commands) == set()


async def test_a_correction_looks_ids_up_everywhere_and_writes_in_one_partition(
    heard: tuple[Scoring, Commands],
) -> None:
    scoring, commands = heard
    await seed(scoring, "ada")
    commands.sent.clear()
    await scoring.corrections.adjust(AdjustmentRequest("r1", "ada", 7, None, "a call", "eve"))
    await scoring.corrections.retract("ada-1", "a test", "eve")
    assert transactions(commands) == [{scoring.events.partition_of("ada")}] * 2
    assert unpinned(commands) == {("find", "score_history"), ("find", "events")}, "expected only look-ups by id alone"


async def test_pages_of_decay_are_transactions_of_one_partition(heard: tuple[Scoring, Commands]) -> None:
    scoring, commands = heard
    await seed(scoring, "ada", "bob", "cyd")
    commands.sent.clear()
    await scoring.run_decay(NOW)
    assert {frozenset(each) for each in transactions(commands)} >= {
        frozenset({scoring.events.partition_of(each)}) for each in ("ada", "bob", "cyd")
    }
    assert all(len(each) == 1 for each in transactions(commands))
    assert unpinned(commands) == {("aggregate", "leads")}, "expected only the count of all inactive leads"


@pytest.mark.parametrize("days", [None, 20])
async def test_reading_leads_names_their_partitions(heard: tuple[Scoring, Commands], days: int | None) -> None:
    scoring, commands = heard
    leads = ["ada", "bob", *neighbours(scoring, 3)]
    await seed(scoring, *leads)
    commands.sent.clear()
    await scoring.queries.scores(leads, None if days is None else days_ago(days))
    await scoring.queries.history("ada", after=(), limit=5, newest_first=True)
    assert commands.names.count("find") > 1
    assert unpinned(commands) == set()


async def test_a_preview_names_the_partition_of_its_lead(heard: tuple[Scoring, Commands]) -> None:
    scoring, commands = heard
    await seed(scoring, "ada")
    commands.sent.clear()
    await scoring.previews.of("ada", [Hypothesis("signup", {})])
    assert transactions(commands) == [], "expected nothing to be written"
    assert unpinned(commands) == set()


async def test_a_rebuild_of_a_lead_names_its_partition(heard: tuple[Scoring, Commands]) -> None:
    scoring, commands = heard
    await seed(scoring, "ada")
    await scoring.database["leads"].update_one({"_id": "ada"}, {"$set": {"score": 7}})
    commands.sent.clear()
    assert (await scoring.rebuild.one("ada")).changed
    assert transactions(commands) == [{scoring.events.partition_of("ada")}]
    assert unpinned(commands) == set()
