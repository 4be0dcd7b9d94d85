"""Migrations create indexes once, and a missing index is reported with the remedy."""

import pytest
from pymongo import ASCENDING, IndexModel

from shared.indexes import check_indexes, create_indexes
from shared.mongo import Database
from shared.settings import StartupError


async def test_indexes_and_their_collections_are_created_once(database: Database) -> None:
    indexes = {"things": [IndexModel([("name", ASCENDING)], name="by_name", unique=True)], "bare": []}
    for _ in range(2):
        await create_indexes(database, indexes)
    assert set(await database.list_collection_names()) == {"things", "bare"}
    found = await database.things.index_information()
    assert set(found) == {"_id_", "by_name"}
    assert found["by_name"]["unique"]


async def test_a_missing_index_is_reported_with_the_remedy(database: Database) -> None:
    indexes = {"things": [IndexModel([("name", ASCENDING)], name="by_name")], "bare": []}
    remedy = "run migrate of the teapot service"
    with pytest.raises(StartupError, match="has no index by_name of things"):
        await check_indexes(database, indexes, service="teapot")
    await create_indexes(database, indexes)
    await check_indexes(database, indexes, service="teapot")
    more = indexes | {"bare": [IndexModel([("age", ASCENDING)], name="by_age")]}
    with pytest.raises(StartupError) as caught:
        await check_indexes(database, more, service="teapot")
    assert str(caught.value) == f"the database has no index by_age of bare: {remedy}"
