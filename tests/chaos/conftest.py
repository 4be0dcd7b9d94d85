"""A correct database for the tests of the checker, and a way to check an altered one."""

import asyncio
from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from chaos import rows
from chaos.corruptions.snapshot import Snapshot
from chaos.rows import Document
from tests.chaos.correct import database_uri_of, make_correct


@pytest.fixture(scope="session")
def correct(mongo_uri: str) -> Snapshot:
    """A correct snapshot, made once; copy it before you change it."""
    return asyncio.run(make_correct(database_uri_of(mongo_uri)))


@pytest.fixture(scope="session")
def uri(mongo_uri: str, correct: Snapshot) -> Iterator[str]:
    """The URI of a database that holds the correct snapshot, without indexes."""
    uri = database_uri_of(mongo_uri)
    with MongoClient[Document](uri) as client:
        database = client.get_default_database()
        for name, documents in correct.collections.items():
            if documents:
                database[name].insert_many(documents)
        yield uri
        client.drop_database(database)


@pytest.fixture
def pretend_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretends that the unique indexes exist, which the copies lack to allow duplicates; also allows slow reads."""

    async def unique_keys(database: object) -> set[tuple[str, ...]]:
        return rows.UNIQUE

    monkeypatch.setattr(rows, "unique_keys", unique_keys)
    monkeypatch.setattr("chaos.checker.SNAPSHOT_SECONDS", 60.0)
