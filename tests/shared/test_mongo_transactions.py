"""Transactions are atomic, retried on conflicts and limited in time; snapshots read one point in time."""

import asyncio
import contextvars
import time

import pytest
from pymongo.errors import PyMongoError
from pymongo.hello import Hello
from pymongo.server_description import ServerDescription

from shared import mongo
from shared.metrics.transactions import RETRIES
from shared.mongo import Database, transact
from tests.shared.commands import overheard

SLACK = 20.0


async def test_a_transaction_returns_the_result_of_its_body_and_is_stored(database: Database) -> None:
    async def body() -> str:
        await database.things.insert_one({"_id": 1})
        return "done"

    assert await transact(database, body, seconds=60) == "done"
    assert await database.things.count_documents({}) == 1


async def test_an_error_in_the_body_rolls_back_and_is_raised_unchanged(database: Database) -> None:
    async def body() -> None:
        await database.things.insert_one({"_id": 1})
        await database.others.insert_one({"_id": 1})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transact(database, body, seconds=60)
    assert await database.things.count_documents({}) == 0
    assert await database.others.count_documents({}) == 0


async def test_a_conflict_runs_the_body_again_from_the_start(database: Database) -> None:
    await database.things.insert_one({"_id": 1, "count": 0})
    meeting = asyncio.Barrier(2)
    runs, retries = 0, RETRIES.labels("write_conflict")._value.get()

    async def increment() -> None:
        nonlocal runs
        runs += 1
        first = runs <= 2
        thing = await database.things.find_one({"_id": 1})
        assert thing is not None
        if first:
            await meeting.wait()  # both have read before either writes
        await database.things.update_one({"_id": 1}, {"$set": {"count": thing["count"] + 1}})

    await asyncio.gather(*(transact(database, increment, seconds=10) for _ in range(2)))
    assert await database.things.find_one({"_id": 1}) == {"_id": 1, "count": 2}
    assert runs >= 3, "expected the second one to have read again"
    assert RETRIES.labels("write_conflict")._value.get() == retries + runs - 2


async def test_a_transaction_in_constant_conflict_ends_in_time(database: Database) -> None:
    await database.things.insert_one({"_id": 1, "count": 0})
    locked, free = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        await database.things.update_one({"_id": 1}, {"$inc": {"count": 1}})

    async def write_and_wait() -> None:
        await write()
        locked.set()
        await free.wait()

    holder = asyncio.create_task(transact(database, write_and_wait, seconds=30))
    await asyncio.wait_for(locked.wait(), 30)
    started = time.monotonic()
    with pytest.raises(PyMongoError):
        await transact(database, write, seconds=0.5)
    assert time.monotonic() - started < 0.5 + SLACK, "expected to end within its bound"
    free.set()
    await holder
    assert await database.things.find_one({"_id": 1}) == {"_id": 1, "count": 1}


async def test_a_slow_operation_in_a_transaction_ends_in_time(database: Database) -> None:
    await database.things.insert_one({"_id": 1})

    async def body() -> None:
        await database.things.insert_one({"_id": 2})
        await database.things.find_one({"$where": "sleep(60000) || true"})

    started = time.monotonic()
    with pytest.raises(PyMongoError) as caught:
        await transact(database, body, seconds=0.5)
    assert caught.value.timeout, f"expected a time-out, not {caught.value!r}"
    assert time.monotonic() - started < 0.5 + SLACK, "expected to end within its bound"
    assert await database.things.count_documents({}) == 1


async def test_every_command_of_a_transaction_carries_its_session(database: Database, database_uri: str) -> None:
    await database.things.insert_many([{"_id": number, "count": 0} for number in range(300)])
    async with overheard(database_uri) as (heard, commands):

        async def body() -> None:
            await heard.things.insert_one({"_id": 1000})
            await heard.things.find({}, batch_size=100).to_list()
            await heard.things.count_documents({})
            await (await heard.things.aggregate([{"$match": {"_id": 1}}])).to_list()
            await heard.things.update_many({}, {"$inc": {"count": 1}})
            await heard.things.delete_one({"_id": 1})

        await transact(heard, body, seconds=10)
    kinds = ["insert", "find", "getMore", "getMore", "getMore", "aggregate", "aggregate", "update", "delete"]
    assert commands.names == [*kinds, "commitTransaction"]
    sessions = {str((command.get("lsid"), command.get("txnNumber"))) for _, command in commands.sent}
    assert len(sessions) == 1, f"expected one transaction, not {sessions}"
    assert {command.get("autocommit") for _, command in commands.sent} == {False}
    first, last = commands.sent[0][1], commands.sent[-1][1]
    assert (first["startTransaction"], first["readConcern"]["level"]) == (True, "snapshot")
    assert last["writeConcern"] == {"w": "majority", "j": True}


async def test_commands_after_a_transaction_belong_to_none(database_uri: str, database: Database) -> None:
    async with overheard(database_uri) as (heard, commands):

        async def body() -> None:
            await heard.things.insert_one({"_id": 1})

        await transact(heard, body, seconds=10)
        await heard.things.find_one({})
    assert "autocommit" not in commands.sent[-1][1]


async def test_concurrent_transactions_have_separate_sessions(database_uri: str, database: Database) -> None:
    async with overheard(database_uri) as (heard, commands):
        meeting = asyncio.Barrier(2)

        async def insert(number: int) -> None:
            async def body() -> None:
                await heard.things.find_one({"_id": number})
                await meeting.wait()
                await heard.things.insert_one({"_id": number})

            await transact(heard, body, seconds=10)

        await database.create_collection("things")
        await asyncio.gather(insert(1), insert(2))
    sessions = [str(command["lsid"]) for name, command in commands.sent if name == "insert"]
    assert len(set(sessions)) == 2


async def test_a_durable_write_waits_for_the_journal_of_a_majority(database_uri: str, database: Database) -> None:
    async with overheard(database_uri) as (heard, commands):
        await mongo.durable(heard.things).insert_one({"_id": 1})
        await mongo.durable(heard.things).update_one({"_id": 1}, {"$set": {"count": 1}})
    assert [command["writeConcern"] for _, command in commands.sent] == [{"w": "majority", "j": True}] * 2


async def test_a_snapshot_asks_one_member(database: Database) -> None:
    members = [ServerDescription((host, 27017), Hello({"ok": 1}), 0.001) for host in "abc"]
    far = ServerDescription(("far", 27017), Hello({"ok": 1}), 0.1)
    assert mongo.choose_member([*members, far]) == [*members, far], "outside of a snapshot, the driver chooses"
    chosen = set()
    for _ in range(100):
        async with mongo.snapshot(database):
            asked = {mongo.choose_member([*members, far])[0].address for _ in range(9)}
            assert len(asked) == 1, asked
            chosen |= asked
            others = [each for each in members if each.address not in asked]
            assert mongo.choose_member(others)[0] in others, "expected another one if it is away"
    assert chosen == {each.address for each in members}


async def test_a_snapshot_sees_one_point_in_time(database: Database) -> None:
    await mongo.durable(database.things).insert_one({"_id": 1})
    outside = contextvars.copy_context()

    async def write(number: int) -> None:
        for collection in (database.things, database.others):
            await mongo.durable(collection).insert_one({"_id": number})

    await asyncio.create_task(write(2), context=outside)
    async with mongo.snapshot(database):
        assert await database.things.count_documents({}) == 2
        await asyncio.create_task(write(3), context=outside)
        assert await database.things.count_documents({}) == 2
        assert [each["_id"] async for each in database.others.find({})] == [2], (
            "expected the same point in time in every collection"
        )
    assert await database.things.count_documents({}) == 3
