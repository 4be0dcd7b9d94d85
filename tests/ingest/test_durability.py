"""Writes that MongoDB does not confirm are never acknowledged."""

import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from google.rpc import code_pb2
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.read_concern import ReadConcern

from cli.local.embedded import EmbeddedMongo
from ingest_service.domain.event import Event
from ingest_service.ports import PutResult
from ingest_service.servicer import ERRORS
from ingest_service.store import MongoEventStore
from shared import mongo
from shared.contracts import events
from shared.deadlines import deadline
from shared.inbox.collection import Inbox
from shared.mongo import Database, Document
from shared.rpc.errors import status_of
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, event

NEW, DUPLICATE = PutResult.NEW, PutResult.DUPLICATE
SEEN_BY_CALLERS = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
"""The codes that mean: the outcome is unknown, retry."""


class BreakableMongo(EmbeddedMongo):
    """A mongod with fail points enabled."""

    def _arguments(self) -> list[str]:
        return [*super()._arguments(), "--setParameter", "enableTestCommands=1"]


class Breakable:
    """A store, and ways to make its server fail."""

    def __init__(self, database: Database) -> None:
        self.inbox = Inbox(database, events.CONTRACT, partitions=PARTITIONS)
        self.events = MongoEventStore(self.inbox, lambda: NOW)
        self._admin = database.client.admin

    @asynccontextmanager
    async def broken(self, point: str, times: int | None = None, **data: Any) -> AsyncIterator[None]:
        """Enables a fail point of mongod, for a number of times or while the context is open."""
        mode = "alwaysOn" if times is None else {"times": times}
        await self._admin.command({"configureFailPoint": point, "mode": mode, "data": data})
        try:
            yield
        finally:
            await self._admin.command({"configureFailPoint": point, "mode": "off"})

    def failing(self, times: int, **how: Any) -> AbstractAsyncContextManager[None]:
        """Makes the next inserts fail, this many times."""
        return self.broken("failCommand", times, failCommands=["insert"], **how)

    async def failure(self, *events: Event) -> str:
        """Puts events, expects an error, and returns the status code that callers see."""
        with pytest.raises(PyMongoError) as caught:
            await self.events.put(events)
        return str(code_pb2.Code.Name(status_of(caught.value, ERRORS).code))


@pytest.fixture(scope="module")
def breakable_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with BreakableMongo(tmp_path_factory.mktemp("breakable")) as server:
        yield server.uri


@pytest.fixture
async def breakable(breakable_uri: str) -> AsyncIterator[Breakable]:
    async with opened(breakable_uri) as database:
        breakable = Breakable(database)
        await breakable.inbox.migrate()
        yield breakable
        await database.client.drop_database(database.name)


async def test_rows_are_written_and_read_with_majority_concern(
    database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = _Commands()
    monkeypatch.setattr(mongo, "AsyncMongoClient", functools.partial(AsyncMongoClient, event_listeners=[commands]))
    async with opened(database_uri) as database:
        events = Breakable(database).events
        assert await events.put([event("a")]) == [NEW]
        assert await events.put([event("a"), event("b")]) == [DUPLICATE, NEW]
        await database.client.drop_database(database.name)
    assert [name for name, _ in commands.seen] == ["insert", "insert", "find"]
    assert [command.get("writeConcern") for _, command in commands.seen[:2]] == [{"w": "majority", "j": True}] * 2
    assert commands.seen[2][1]["readConcern"]["level"] == "majority"


async def test_a_write_without_a_majority_is_not_acknowledged(breakable: Breakable) -> None:
    assert await breakable.events.put([event("known")]) == [NEW]
    refusal = {"code": 64, "errmsg": "waiting for replication timed out"}
    for asked in ([event("new")], [event("known")], [event("newer"), event("known"), event("new")]):
        async with breakable.failing(1, writeConcernError=refusal):
            assert await breakable.failure(*asked) == "UNAVAILABLE"
    assert await breakable.events.put([event("new"), event("known"), event("newer")]) == [
        DUPLICATE,
        DUPLICATE,
        DUPLICATE,
    ]


@pytest.mark.parametrize("known", [False, True])
async def test_a_write_that_is_not_journaled_in_time_is_not_acknowledged(breakable: Breakable, known: bool) -> None:
    if known:
        await breakable.events.put([event()])
    unconfirmed = breakable.inbox.rows.with_options(read_concern=ReadConcern("local"))

    async def is_stored() -> bool:
        with deadline(0.3):
            assert await breakable.failure(event()) in SEEN_BY_CALLERS
        return await unconfirmed.find_one({"_id": event().event_id}) is not None

    async with breakable.broken("pauseJournalFlusherBeforeFlush"):
        # On a busy machine, the first of the writes may not even be sent in time.
        await eventually(is_stored, what="the row is stored")
    assert await breakable.events.put([event()]) == [DUPLICATE], "expected the row to be stored but unconfirmed"


@pytest.mark.parametrize("how", [{"closeConnection": True}, {"errorCode": 189}])
async def test_a_single_failure_is_retried_by_the_driver(breakable: Breakable, how: dict[str, Any]) -> None:
    async with breakable.failing(1, **how):
        assert await breakable.events.put([event("a"), event("a")]) == [NEW, DUPLICATE]


async def test_a_retried_write_whose_confirmation_was_lost_is_new(breakable: Breakable) -> None:
    async with breakable.failing(1, writeConcernError={"code": 91, "errmsg": "shutdown in progress"}):
        assert await breakable.events.put([event("a"), event("b")]) == [NEW, NEW]


@pytest.mark.parametrize(
    "how", [{"closeConnection": True}, *({"errorCode": code} for code in (50, 189, 262, 10107, 11602, 13435))]
)
async def test_a_server_that_keeps_failing_is_reported_as_unavailable(
    breakable: Breakable, how: dict[str, Any]
) -> None:
    async with breakable.failing(2, **how):
        assert await breakable.failure(event()) in SEEN_BY_CALLERS
    assert await breakable.events.put([event()]) == [NEW]


@asynccontextmanager
async def opened(uri: str) -> AsyncIterator[Database]:
    database = await mongo.connect(uri)
    try:
        yield database
    finally:
        await database.client.close()


class _Commands(CommandListener):
    def __init__(self) -> None:
        self.seen: list[tuple[str, Document]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("insert", "find"):
            self.seen.append((event.command_name, dict(event.command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass
