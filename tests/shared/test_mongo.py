"""Connections that say what is wrong, transactions that are whole, and reads of one moment."""

import asyncio
import contextvars
import gc
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from pymongo import ASCENDING, IndexModel, MongoClient
from pymongo.errors import PyMongoError
from structlog.testing import capture_logs

from cli.local.embedded import EmbeddedMongo
from shared import mongo
from shared.indexes import check_indexes, create_indexes
from shared.mongo import Database, Document, transact
from shared.settings import StartupError
from tests.shared.commands import overheard

SLACK = 8.0
UNCLOSED = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


class Standalone(EmbeddedMongo):
    """A mongod as one gets it without any option: no replica set."""

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        at = arguments.index("--replSet")
        return arguments[:at] + arguments[at + 2 :]


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with Standalone(tmp_path_factory.mktemp("standalone")) as server:
        yield server


@pytest.fixture
def new(tmp_path: Path) -> Iterator[EmbeddedMongo]:
    """A mongod with `--replSet` that nobody has initiated."""
    with EmbeddedMongo(tmp_path) as server:
        yield server


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Gives a server up soon; with `UNCLOSED`, since pymongo leaves the socket open of a connect that it cancels."""
    monkeypatch.setattr(mongo, "SELECT_SECONDS", 0.3)
    yield
    gc.collect()


@pytest.mark.parametrize(
    "uri",
    [
        "nonsense",
        "mongodb://",
        "mongodb://127.0.0.1:port/leadscore",
        "mongodb://127.0.0.1:99999/leadscore",
        "mongodb://127.0.0.1/lead score",
        "mongodb://user:hunter2/@127.0.0.1/leadscore",
        "mongodb://user:hunter2@x@127.0.0.1/leadscore",
        "mongodb://127.0.0.1:1,127.0.0.1:2/leadscore?directConnection=true",
        "mongodb+srv://127.0.0.1/leadscore",
    ],
)
async def test_a_malformed_uri_is_told_in_one_line_without_its_password(uri: str) -> None:
    for attempt in (mongo.connect(uri), asyncio.to_thread(mongo.initiate, uri)):
        with pytest.raises(StartupError, match=r"^LEADSCORE_MONGO_URI: ") as caught:
            await attempt
        assert "\n" not in str(caught.value)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:hunter/two@host/db",
        "mongodb://user:hunter?two@host/db",
        "mongodb://user:hunter?two=2@host/db",
        "mongodb://user:hunter@two@host/db",
        "mongodb://user:hunter:two@host/db",
        "mongodb://user:hunter%two@host/db",
        "mongodb://user:5678/two@host",
        "mongodb://user:5678?appName=two@host",
        "mongodb://user:5678@hunter/two@host",
        "mongodb+srv://user:hunter/two@host/db",
    ],
)
async def test_no_part_of_a_password_that_is_not_encoded_is_told(uri: str) -> None:
    for attempt in (mongo.connect(uri), asyncio.to_thread(mongo.initiate, uri)):
        with pytest.raises(StartupError, match="percent-encode the user and the password") as caught:
            await attempt
        assert not {part for part in ("hunter", "two", "5678") if part in str(caught.value)}


@pytest.mark.parametrize(
    "option", ["tls=true&tlsCAFile=/nowhere.pem", "authMechanism=GSSAPI", "minPoolSize=9&maxPoolSize=1"]
)
async def test_an_option_that_only_the_client_refuses_is_told_in_one_line(option: str) -> None:
    uri = f"mongodb://127.0.0.1:1/leadscore?{option}"
    for attempt in (mongo.connect(uri), asyncio.to_thread(mongo.initiate, uri)):
        with pytest.raises(StartupError, match=r"^LEADSCORE_MONGO_URI: "):
            await attempt


@UNCLOSED
@pytest.mark.usefixtures("_impatient")
async def test_nobody_there_is_told_with_the_address() -> None:
    with pytest.raises(StartupError) as caught:
        await mongo.connect("mongodb://user:hunter2@127.0.0.1:1/leadscore?replicaSet=rs0")
    remedy = "start it or set LEADSCORE_MONGO_URI; run migrate if it is new"
    assert str(caught.value) == f"no MongoDB primary answers at 127.0.0.1:1: {remedy}"


async def test_a_server_that_is_no_replica_set_is_told_with_the_remedy(standalone: Standalone) -> None:
    uri = f"mongodb://127.0.0.1:{standalone.port}/leadscore"
    remedy = "start mongod with --replSet rs0, then run migrate"
    for attempt in (mongo.connect(uri), asyncio.to_thread(mongo.initiate, standalone.uri)):
        with pytest.raises(StartupError) as caught:
            await attempt
        assert str(caught.value) == f"MongoDB at 127.0.0.1:{standalone.port} is not a replica set: {remedy}"


@UNCLOSED
@pytest.mark.usefixtures("_impatient")
async def test_a_replica_set_becomes_one_by_initiation_and_stays_one(
    new: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StartupError, match="run migrate if it is new"):
        await mongo.connect(new.uri)
    with pytest.raises(StartupError, match=r"^LEADSCORE_MONGO_URI must end with \?replicaSet="):
        await asyncio.to_thread(mongo.initiate, f"mongodb://127.0.0.1:{new.port}/leadscore")
    monkeypatch.setattr(mongo, "SELECT_SECONDS", 30.0)
    for _ in range(2):
        await asyncio.to_thread(mongo.initiate, new.uri)
        database = await mongo.connect(new.uri)
        assert await mongo.is_primary(database)
        await database.client.close()


def test_a_replica_set_is_known_by_any_of_its_members(mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo, "LOOK_SECONDS", 30.0)
    mongo.initiate(mongo_uri.replace("mongodb://", "mongodb://127.0.0.1:1,"))


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """A file with a certificate authority."""
    return tmp_path / "authority.pem"


@pytest.fixture
def guarded(tmp_path: Path, trusted: Path) -> Iterator[EmbeddedMongo]:
    """A mongod that requires TLS, which nobody has initiated."""
    authority, certificate = trustme.CA(), tmp_path / "certificate.pem"
    authority.cert_pem.write_to_path(trusted)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)

    class Guarded(EmbeddedMongo):
        def _arguments(self) -> list[str]:
            files = ["--tlsCertificateKeyFile", str(certificate), "--tlsCAFile", str(trusted)]
            return [
                *super()._arguments(),
                "--tlsMode",
                "requireTLS",
                "--tlsAllowConnectionsWithoutCertificates",
                *files,
            ]

    with Guarded(tmp_path / "mongo") as server:
        yield server


@pytest.mark.parametrize("trust", ["tlsCAFile={0}", "tlsInsecure=true"])
async def test_a_server_that_requires_tls_becomes_a_replica_set(
    guarded: EmbeddedMongo, trusted: Path, trust: str
) -> None:
    uri = f"{guarded.uri}&tls=true&{trust.format(trusted)}"
    for _ in range(2):
        await asyncio.to_thread(mongo.initiate, uri)
    database = await mongo.connect(uri)
    assert await mongo.is_primary(database)
    await database.client.close()


async def test_two_initiations_at_once_are_one(new: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch) -> None:
    is_initiated = mongo._is_initiated
    meeting = threading.Barrier(2, timeout=30)

    def look_together(seed: MongoClient[Document]) -> bool:
        found = is_initiated(seed)
        meeting.wait()
        return found

    monkeypatch.setattr(mongo, "_is_initiated", look_together)
    results = await asyncio.gather(
        *(asyncio.to_thread(mongo.initiate, new.uri) for _ in range(2)), return_exceptions=True
    )
    assert results == [None, None]


@pytest.mark.parametrize(("path", "name"), [("/other?", "other"), ("/?", "leadscore")])
async def test_the_database_is_the_one_that_the_uri_names(mongo_uri: str, path: str, name: str) -> None:
    database = await mongo.connect(mongo_uri.replace("/leadscore?", path))
    assert database.name == name
    await database.client.close()


async def test_times_come_back_aware(database: Database) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await database.things.insert_one({"_id": 1, "time": now})
    found = await database.things.find_one({"_id": 1})
    assert found == {"_id": 1, "time": now}


async def test_a_server_that_keeps_orphans_for_long_is_warned_of(database: Database, mongo_uri: str) -> None:
    parameter = "transactionLifetimeLimitSeconds"
    for seconds, warnings in ((60, 1), (mongo.ORPHAN_SECONDS, 0)):
        await database.client.admin.command({"setParameter": 1, parameter: seconds})
        with capture_logs() as lines:
            opened = await mongo.connect(mongo_uri)
            await opened.client.close()
        assert len(lines) == warnings
        assert all(parameter in line["advice"] for line in lines)


async def test_a_transaction_returns_what_its_body_returns_and_is_stored(database: Database) -> None:
    async def body() -> str:
        await database.things.insert_one({"_id": 1})
        return "done"

    assert await transact(database, body, seconds=5) == "done"
    assert await database.things.count_documents({}) == 1


async def test_an_error_in_the_body_leaves_nothing_and_comes_out_as_it_is(database: Database) -> None:
    async def body() -> None:
        await database.things.insert_one({"_id": 1})
        await database.others.insert_one({"_id": 1})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transact(database, body, seconds=5)
    assert await database.things.count_documents({}) == 0
    assert await database.others.count_documents({}) == 0


async def test_on_a_conflict_the_body_runs_again_from_its_start(database: Database) -> None:
    await database.things.insert_one({"_id": 1, "count": 0})
    meeting = asyncio.Barrier(2)
    runs = 0

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
    assert runs >= 3, "the one that came second is expected to have read again"


async def test_a_transaction_that_is_always_in_the_way_of_another_ends_in_time(database: Database) -> None:
    await database.things.insert_one({"_id": 1, "count": 0})
    locked, free = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        await database.things.update_one({"_id": 1}, {"$inc": {"count": 1}})

    async def write_and_wait() -> None:
        await write()
        locked.set()
        await free.wait()

    holder = asyncio.create_task(transact(database, write_and_wait, seconds=30))
    await asyncio.wait_for(locked.wait(), 10)
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


async def test_after_a_transaction_commands_carry_none(database_uri: str, database: Database) -> None:
    async with overheard(database_uri) as (heard, commands):

        async def body() -> None:
            await heard.things.insert_one({"_id": 1})

        await transact(heard, body, seconds=10)
        await heard.things.find_one({})
    assert "autocommit" not in commands.sent[-1][1]


async def test_two_transactions_at_once_have_sessions_of_their_own(database_uri: str, database: Database) -> None:
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


async def test_a_durable_write_waits_for_the_journals_of_a_majority(database_uri: str, database: Database) -> None:
    async with overheard(database_uri) as (heard, commands):
        await mongo.durable(heard.things).insert_one({"_id": 1})
        await mongo.durable(heard.things).update_one({"_id": 1}, {"$set": {"count": 1}})
    assert [command["writeConcern"] for _, command in commands.sent] == [{"w": "majority", "j": True}] * 2


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
        assert [each["_id"] async for each in database.others.find({})] == [2], "the same moment in every collection"
    assert await database.things.count_documents({}) == 3


async def test_indexes_are_created_once_and_collections_with_them(database: Database) -> None:
    indexes = {"things": [IndexModel([("name", ASCENDING)], name="by_name", unique=True)], "bare": []}
    for _ in range(2):
        await create_indexes(database, indexes)
    assert set(await database.list_collection_names()) == {"things", "bare"}
    found = await database.things.index_information()
    assert set(found) == {"_id_", "by_name"}
    assert found["by_name"]["unique"]


async def test_an_index_that_is_missing_is_told_with_the_remedy(database: Database) -> None:
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
