"""Rows with several items: read as one row, counted by items, and divided when an item fails or kills its worker."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.inbox import breaker as breaker_module
from shared.inbox import isolation as isolation_module
from shared.inbox.bundles import pending_bundles
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.inbox.parking import Parking
from shared.mongo import Database, Document, transact
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.commands import overheard
from tests.shared.inbox.pending_rows import ALL, NOW
from tests.shared.letters import LETTERS

PARCELS = LETTERS._replace(collection="parcels", items="letters")


@pytest.fixture
async def parcels(database: Database) -> Inbox:
    made = Inbox(database, PARCELS, partitions=PARTITIONS)
    await made.migrate()
    return made


async def put(inbox: Inbox, *counts: int, partition: int = 0, first: int = 0) -> list[str]:
    """Puts a row for each count, with as many letters, numbered from `first` on; returns the ids."""
    ids, number = [], first
    for count in counts:
        letters = [{"number": number + index} for index in range(count)]
        number += count
        [row] = pending_bundles(PARCELS, partition, letters, NOW + timedelta(milliseconds=number))
        await inbox.rows.insert_one(row)
        ids.append(row["_id"])
    return ids


def numbers(rows: Sequence[Document]) -> list[int]:
    return [letter["number"] for row in rows for letter in row["letters"]]


class Reader:
    """Reads letters, and fails on some of them."""

    def __init__(self, database: Database, inbox: Inbox, *unreadable: int) -> None:
        self.unreadable = set(unreadable)
        self.read: list[int] = []
        self._database = database
        self._inbox = inbox

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Reads pending letters in one transaction."""

        async def body() -> list[int]:
            rows = await self._inbox.pending(partitions, limit, ids=ids)
            await self._inbox.mark(rows)
            if self.unreadable & set(numbers(rows)):
                raise ValueError("it is illegible")
            return numbers(rows)

        found = await transact(self._database, body, seconds=10)
        self.read += found
        return len(found)


async def test_rows_are_read_up_to_the_one_that_reaches_the_limit(parcels: Inbox) -> None:
    ids = await put(parcels, 3, 4, 1, 9)
    for limit, expected in ((1, 1), (3, 1), (4, 2), (7, 2), (8, 3), (9, 4), (99, 4)):
        rows = await parcels.pending(ALL, limit)
        assert ([row["_id"] for row in rows], rows.is_full) == (ids[:expected], limit < 18), limit
    assert len(await parcels.pending(ALL, 2, ids=ids[:2])) == 2, "with ids, rows are counted"


async def test_a_read_fetches_about_as_many_rows_as_it_takes(database_uri: str, parcels: Inbox) -> None:
    """Otherwise a backlog of large rows would be fetched again and again."""
    await put(parcels, *[50] * 40)
    async with overheard(database_uri) as (database, commands):
        inbox = Inbox(database, PARCELS, partitions=PARTITIONS)
        for _ in range(2):
            assert len(await inbox.pending(ALL, 100)) == 2
    sizes = [command["batchSize"] for name, command in commands.sent if name == "find"]
    assert sizes == [101, 3]


async def test_items_are_counted_not_rows_by_index_keys_only(parcels: Inbox) -> None:
    await put(parcels, 3, 4)
    await put(parcels, 5, partition=2)
    assert await parcels.count_pending() == 12
    assert {partition: each.items for partition, each in (await parcels.backlog()).items()} == {0: 7, 2: 5}
    stages = [{"$match": {"state": "pending"}}, {"$group": {"_id": "$partition", "items": {"$sum": "$count"}}}]
    command = {"aggregate": "parcels", "pipeline": stages, "cursor": {}, "hint": "pending"}
    explained = await parcels.rows.database.command("explain", command, verbosity="executionStats")
    assert "'FETCH'" not in str(explained)


async def test_a_row_is_divided_once_and_its_parts_keep_everything_else(parcels: Inbox) -> None:
    [row_id, other] = await put(parcels, 3, 1)
    before = await parcels.rows.find_one({"_id": row_id})
    assert before is not None
    parts = await parcels.divide(row_id, 0)
    assert parts == [f"{row_id}.{number:03}" for number in range(3)]
    rows = await parcels.rows.find({"_id": {"$in": parts}}).sort("_id", 1).to_list()
    own: dict[str, Any] = {"count": 1, "divided": True}
    assert rows == [before | own | {"_id": part, "letters": [{"number": number}]} for number, part in enumerate(parts)]
    assert await parcels.divide(row_id, 0) == []
    assert (
        await parcels.divide(other, 0) == await parcels.divide(parts[0], 0) == await parcels.divide("unknown", 0) == []
    )
    assert sorted(numbers(await parcels.pending(ALL, 99))) == [0, 1, 2, 3]


async def test_a_row_is_either_divided_or_marked(parcels: Inbox, database: Database) -> None:
    for _ in range(10):
        [row_id] = await put(parcels, 5)
        reader = Reader(database, parcels)
        done, parts = await asyncio.gather(reader.step(ALL, 99), parcels.divide(row_id, 0))
        assert (done, len(parts)) in [(5, 0), (0, 5), (5, 5)]
        await reader.step(ALL, 99)
        assert sorted(reader.read) == list(range(5)), "each letter is read once"
        assert await parcels.count_pending() == 0


@pytest.mark.usefixtures("fast_retries")
@pytest.mark.parametrize("counts", [[40], [13, 13, 14], [1, 38, 1], [20, 20]], ids=str)
async def test_only_the_item_that_fails_is_parked(
    database: Database, parcels: Inbox, doorbell: Doorbell, counts: Sequence[int]
) -> None:
    await put(parcels, *counts)
    reader = Reader(database, parcels, 17)
    drainer = Drainer(parcels, doorbell, reader.step, batch_rows=64)
    async with running(drainer.run(), drainer.isolated_retries.run(every=0.01)):

        async def is_drained() -> bool:
            await drainer.drain(ALL)
            return await parcels.count_pending() == 0

        await eventually(is_drained, what="all letters are read or parked")
    assert sorted(reader.read) == [number for number in range(40) if number != 17], "each is read once"
    [parked] = await Parking(parcels).page((), 9)
    assert numbers([parked.row]) == [17]


@pytest.mark.usefixtures("fast_retries")
async def test_a_stopped_drain_resumes_although_every_row_has_an_item_that_fails(
    database: Database, parcels: Inbox, doorbell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker_module, "MAX_ALIKE", 3)
    monkeypatch.setattr(isolation_module, "PROBE_SECONDS", 0.01)
    await put(parcels, 3)
    reader = Reader(database, parcels, 0, 1, 2, 10)
    drainer = Drainer(parcels, doorbell, reader.step, batch_rows=64)
    async with running(drainer.run()):

        async def is_stopped() -> bool:
            await drainer.drain(ALL)
            return drainer.isolated_retries.breaker.is_open

        await eventually(is_stopped, what="the drain stops")
        await put(parcels, 5, first=10)

        async def others_are_read() -> bool:
            await drainer.drain(ALL)
            return sorted(reader.read) == [11, 12, 13, 14]

        async with running(drainer.isolated_retries.run(every=0.01)):
            await eventually(others_are_read, what="the letters are read that can be read")
