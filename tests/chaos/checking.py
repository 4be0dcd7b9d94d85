"""Checks an altered snapshot instead of the correct one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from chaos.checker import Checker, Violation
from chaos.corruptions.snapshot import Snapshot
from chaos.rows import Document


def write(database: SyncDatabase[Document], altered: Snapshot, instead_of: Snapshot) -> None:
    """Replaces the collections that differ between two snapshots."""
    for name, documents in altered.collections.items():
        if documents != instead_of.collections[name]:
            database[name].delete_many({})
            if documents:
                database[name].insert_many(documents)


@asynccontextmanager
async def checking(uri: str, correct: Snapshot, altered: Snapshot, *, is_live: bool = True) -> AsyncIterator[Checker]:
    """Stores an altered snapshot, yields a checker of it, and stores the correct one again."""
    with MongoClient[Document](uri) as client:
        # The checker reports open transactions of the whole server; tests that kill processes leave some for a while.
        client.admin.command("killAllSessions", [])
        database = client.get_default_database()
        write(database, altered, correct)
        checker = Checker(uri, altered.journal, has_live_receiver=is_live)
        try:
            yield checker
        finally:
            await checker.close()
            write(database, correct, altered)


def invariants(found: list[Violation]) -> set[str]:
    return {each.invariant for each in found}
