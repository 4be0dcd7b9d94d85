"""Transactions that take the same lock run one after the other; those that take different ones do not wait."""

import asyncio
from collections.abc import Iterable
from functools import partial

from shared.locks import create_locks, take_locks
from shared.mongo import Database, Document, transact


def locks(ids: Iterable[object]) -> list[Document]:
    return [{"_id": each} for each in ids]


async def test_creating_locks_again_changes_nothing(database: Database) -> None:
    await create_locks(database.locks, locks(range(2)), through="")
    await take_locks(database.locks, [1])
    await create_locks(database.locks, locks(range(3)), through="later")
    assert await database.locks.find().sort("_id").to_list() == [
        {"_id": 0, "transactions": 0, "through": ""},
        {"_id": 1, "transactions": 1, "through": ""},
        {"_id": 2, "transactions": 0, "through": "later"},
    ]


async def runs_of_two_transactions(database: Database, one: list[str], other: list[str]) -> int:
    """Returns how often two transactions ran that take locks at the same time."""
    await create_locks(database.locks, locks("abc"))
    meeting, runs = asyncio.Barrier(2), 0

    async def take(ids: list[str]) -> None:
        nonlocal runs
        runs += 1
        first = runs <= 2
        await database.locks.find_one({"_id": "c"})
        if first:
            await meeting.wait()  # both have their snapshot before either takes its locks
        await take_locks(database.locks, ids)

    await asyncio.gather(*(transact(database, partial(take, ids), seconds=30) for ids in (one, other)))
    return runs


async def test_transactions_that_take_the_same_lock_conflict(database: Database) -> None:
    assert await runs_of_two_transactions(database, ["a", "b"], ["b"]) > 2, "expected one to have run again"


async def test_transactions_that_take_different_locks_do_not_conflict(database: Database) -> None:
    assert await runs_of_two_transactions(database, ["a"], ["b"]) == 2
