"""A drain sends the commands that docs/architecture.md lists ("What a drain costs"), however many events it scores."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest

from scoring_service.store.lead_rows import MIN_REINSERTED
from tests.conftest import PARTITIONS
from tests.scoring.conftest import NOW, Scoring, days_ago, new_scoring
from tests.shared.commands import Commands, overheard

COMMANDS = [
    "find events",
    "update scoring_partitions",
    "find leads",
    "insert score_history",
    "update leads",
    "insert score_changes",
    "update events",
    "commitTransaction",
]
SECOND = timedelta(seconds=1)


class Overheard:
    """A scoring service, and the commands of its drains."""

    def __init__(self, scoring: Scoring, commands: Commands) -> None:
        self.scoring = scoring
        self._commands = commands

    async def drain(self) -> list[str]:
        """Scores all events in one transaction, and returns what it sent; the further pages of a read are left out."""
        self._commands.sent.clear()
        await self.scoring.drain.step(range(PARTITIONS), 1_000)
        return [_named(name, command[name]) for name, command in self._commands.sent if name != "getMore"]


def _named(command: str, value: object) -> str:
    return f"{command} {value}" if isinstance(value, str) else command


@pytest.fixture
async def overheard_scoring(database_uri: str) -> AsyncIterator[Overheard]:
    """A service that has scored an event of lead `ada`, and so has read the model in force."""
    async with overheard(database_uri) as (database, commands):
        scoring = await new_scoring(database)
        await scoring.put(("first", "ada", "signup", days_ago(1)))
        await scoring.drain_all()
        yield Overheard(scoring, commands)
        await database.client.drop_database(database.name)


async def test_without_events_a_drain_only_looks(overheard_scoring: Overheard) -> None:
    assert await overheard_scoring.drain() == ["find events", "commitTransaction"]


@pytest.mark.parametrize("leads", [1, MIN_REINSERTED - 1])
async def test_a_drain_of_few_leads_sends_eight_commands(overheard_scoring: Overheard, leads: int) -> None:
    await overheard_scoring.scoring.put(*((f"e{number}", f"lead{number}", "page_view", NOW) for number in range(leads)))
    assert await overheard_scoring.drain() == COMMANDS
    assert await overheard_scoring.scoring.database["leads"].count_documents({}) == leads + 1


@pytest.mark.parametrize("leads", [MIN_REINSERTED, 500])
async def test_a_drain_of_many_leads_inserts_their_rows_anew(overheard_scoring: Overheard, leads: int) -> None:
    scoring = overheard_scoring.scoring
    for each in ("first", "second"):
        await scoring.put(*((f"{each}{number}", f"lead{number}", "page_view", NOW) for number in range(leads)))
        assert await overheard_scoring.drain() == [*COMMANDS[:4], "delete leads", "insert leads", *COMMANDS[5:]]
    assert await scoring.database["leads"].count_documents({}) == leads + 1
    assert await scoring.verify() == []


async def test_late_events_of_many_leads_cost_one_more_read(overheard_scoring: Overheard) -> None:
    scoring = overheard_scoring.scoring
    await scoring.put(*((f"e{number}", f"lead{number}", "page_view", NOW) for number in range(10)))
    await scoring.drain_all()
    await scoring.put(*((f"late{number}", f"lead{number}", "page_view", days_ago(1)) for number in range(10)))
    assert await overheard_scoring.drain() == [*COMMANDS[:3], "find score_history", *COMMANDS[3:]]


async def test_the_checkpoints_of_many_leads_are_replaced_at_once(overheard_scoring: Overheard) -> None:
    scoring, leads = overheard_scoring.scoring, [f"lead{number}" for number in range(3)]
    await scoring.put(
        *((f"{lead}-{number}", lead, "page_view", NOW - number * SECOND) for lead in leads for number in range(300))
    )
    await scoring.drain_all()
    await scoring.put(*((f"late-{lead}", lead, "page_view", days_ago(1)) for lead in leads))
    sent = await overheard_scoring.drain()
    assert [each for each in sent if each.split()[0] in ("delete", "insert")] == [
        "insert score_history",
        "delete checkpoints",
        "insert checkpoints",
        "insert score_changes",
    ]


async def test_a_standing_that_has_changed_is_read_once(overheard_scoring: Overheard) -> None:
    scoring = overheard_scoring.scoring
    reset = {"reset_reason": "a clock was ahead", "reset_actor": "another process"}
    await scoring.database["scoring_partitions"].update_many({}, {"$set": reset})
    for event_id, reads in (("e1", 1), ("e2", 0)):
        await scoring.put((event_id, "ada", "page_view", NOW))
        assert (await overheard_scoring.drain()).count("find scoring_partitions") == reads
    assert await scoring.verify() == []


async def test_partitions_with_different_standings_are_scored_by_their_own(overheard_scoring: Overheard) -> None:
    scoring = overheard_scoring.scoring
    await scoring.put(*((f"e{number}", f"lead{number}", "signup", days_ago(60)) for number in range(50)))
    await scoring.drain_all()
    for partition in range(0, PARTITIONS, 2):
        await scoring.lead_writer.transact(partial(scoring.lead_writer.move_decay, partition, NOW.date()))
    await scoring.put(*((f"late{number}", f"lead{number}", "page_view", days_ago(50)) for number in range(50)))
    await overheard_scoring.drain()
    async for row in scoring.database["leads"].find({"_id": {"$regex": "^lead"}}):
        expected = NOW.date().isoformat() if row["partition"] % 2 == 0 else ""
        assert row["decayed_through"] == expected, row["_id"]
    assert await scoring.verify() == []
