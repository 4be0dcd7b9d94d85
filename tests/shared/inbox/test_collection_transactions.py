"""Each row is handed to exactly one committed transaction."""

import asyncio
from collections import Counter

import pytest

from shared.inbox.collection import Inbox
from shared.mongo import Database, Document, transact
from tests.shared.inbox.pending_rows import ALL, BATCH, NOW, ids_pending, put


async def test_a_put_rolls_back_with_its_transaction(database: Database, inbox: Inbox) -> None:
    async def body() -> None:
        await put(inbox, "ada")
        assert await inbox.count_pending() == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transact(database, body, seconds=60)
    assert await inbox.count_pending() == 0


async def test_a_mark_rolls_back_with_its_transaction(database: Database, inbox: Inbox) -> None:
    await put(inbox, "ada")

    async def body() -> None:
        await inbox.mark(await inbox.pending(ALL, 10))
        assert await inbox.count_pending() == 0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transact(database, body, seconds=60)
    assert await ids_pending(inbox) == ["ada-0"]


async def test_of_two_drains_with_the_same_rows_one_is_retried(database: Database, inbox: Inbox) -> None:
    await put(inbox, "ada", "bob")
    meeting = asyncio.Barrier(2)
    reads: list[int] = []

    async def drain() -> int:
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await inbox.pending(ALL, 10)
            reads.append(len(rows))
            if len(reads) <= 2:
                await meeting.wait()  # both have read before either marks
            await inbox.mark(rows)

        await transact(database, body, seconds=60)
        return len(rows)

    assert sorted(await asyncio.gather(drain(), drain())) == [0, 2]
    assert (reads[:2], reads[-1]) == ([2, 2], 0), "expected the second one to have read again"


@pytest.mark.parametrize("drains", [2, 8])
async def test_each_row_is_handed_to_exactly_one_committed_transaction(
    database: Database, inbox: Inbox, drains: int
) -> None:
    keys = [f"key-{number}" for number in range(120)]
    await put(inbox, *keys)
    handed = database["handed"]
    await database.create_collection(handed.name)

    async def step() -> int:
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await inbox.pending(ALL, BATCH)
            if rows:
                await handed.insert_many([{"row": row["_id"]} for row in rows])
                await inbox.mark(rows)

        await transact(database, body, seconds=60)
        return len(rows)

    async def drain() -> int:
        total = 0
        while done := await step():
            total += done
        return total

    assert sum(await asyncio.gather(*(drain() for _ in range(drains)))) == len(keys)
    counts = Counter([each["row"] async for each in handed.find({})])
    assert counts == Counter(f"{key}-{index}" for index, key in enumerate(keys))
    assert await inbox.count_pending() == 0


async def test_rows_added_during_a_drain_are_not_missed(database: Database, inbox: Inbox) -> None:
    total = 200
    putting = True

    async def produce() -> None:
        nonlocal putting
        for number in range(total):
            await inbox.rows.insert_one({"_id": number, **inbox.pending_row(str(number), NOW)})
        putting = False

    async def consume() -> list[int]:
        seen: list[int] = []
        while putting or await inbox.count_pending():
            rows: list[Document] = []

            async def body() -> None:
                nonlocal rows
                rows = await inbox.pending(ALL, BATCH)
                await inbox.mark(rows)

            await transact(database, body, seconds=30)
            seen += [row["_id"] for row in rows]
        return seen

    _, *seen = await asyncio.gather(produce(), consume(), consume())
    assert sorted(seen[0] + seen[1]) == list(range(total))
