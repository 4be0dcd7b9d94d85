"""A row that is newer than its reader waits until the reader is updated."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.inbox.collection import Inbox
from shared.inbox.parking import Parking
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.shared.letters import LETTERS

ACCEPTED = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    """An inbox of today with one row of version 2, and a later one of version 1 of the same key."""
    made = Inbox(database, LETTERS, partitions=PARTITIONS)
    await made.migrate()
    for second, version in enumerate((2, 1)):
        accept_time = ACCEPTED + timedelta(seconds=second)
        row = {"_id": f"version-{version}", "schema_version": version, **made.pending_row("ada", accept_time)}
        await made.rows.insert_one(row)
    return made


async def ids(inbox: Inbox) -> list[str]:
    return [row["_id"] for row in await inbox.pending(range(PARTITIONS), 10)]


async def test_a_drain_skips_the_newer_row_and_takes_what_came_after_it(inbox: Inbox) -> None:
    assert await ids(inbox) == ["version-1"]
    assert [row["_id"] for row in await inbox.pending_of("ada", 10)] == ["version-1"]
    assert await inbox.newest() == ("version-1", inbox.partition_of("ada"))


async def test_an_attempt_at_the_newer_row_alone_finds_nothing(inbox: Inbox) -> None:
    assert await inbox.pending(range(PARTITIONS), 10, ids=["version-2"]) == []


async def test_nobody_rings_for_the_newer_row_but_its_age_shows(inbox: Inbox) -> None:
    partition = inbox.partition_of("ada")
    assert await inbox.waiting_for_drain() == {partition: ACCEPTED + timedelta(seconds=1)}
    await inbox.mark([{"_id": "version-1", "partition": partition}])
    assert await inbox.waiting_for_drain() == {}
    assert await inbox.waiting() == {partition: ACCEPTED}
    assert await inbox.count_pending() == 1
    assert await Parking(inbox).count() == 0


async def test_the_log_says_once_what_to_update(inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        await inbox.waiting_for_drain()
    lines = [line for line in capsys.readouterr().out.splitlines() if "newer" in line]
    assert len(lines) == 1
    assert "update the reader" in lines[0]


async def test_the_newer_row_is_processed_after_the_update(inbox: Inbox, database: Database) -> None:
    updated = Inbox(database, LETTERS._replace(schema_version=2), partitions=PARTITIONS)
    assert await ids(updated) == ["version-2", "version-1"]
    await updated.mark(await updated.pending(range(PARTITIONS), 10))
    assert await updated.waiting() == {}
