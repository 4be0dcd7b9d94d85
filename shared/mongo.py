"""MongoDB: connections, transactions and snapshot reads.

Guarantee: every acknowledged write is journaled on a majority of the replica set, no read returns data that a failover
can roll back, and `transact()` runs its body as one snapshot transaction with a time limit.
"""

import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pymongo
from bson.codec_options import DatetimeConversion
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.server_description import ServerDescription
from pymongo.write_concern import WriteConcern

from shared import logs, mongo_uris
from shared.metrics.transactions import Attempts
from shared.settings import StartupError

Document = dict[str, Any]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
T = TypeVar("T")

SELECT_SECONDS = 5.0
"""Longest time to find a primary; shorter than the time limit of a call, so that callers see UNAVAILABLE."""

ORPHAN_SECONDS = 10
"""Recommended lifetime of the transaction of a killed process: slightly more than the time limit of a drain."""

NEAR_SECONDS = 0.015
"""Members are asked in turn whose answers take at most this much longer than those of the nearest; the driver's own
default."""

_LOG = logs.get(__name__)
_MAJORITY = WriteConcern("majority", j=True)


@dataclass(slots=True)
class _Asked:
    """The member that has answered the reads of a snapshot."""

    address: tuple[str, int | None] | None = None


_ASKED: ContextVar[_Asked | None] = ContextVar("asked", default=None)


class TransactionTimeout(ExecutionTimeout):
    """The body of a transaction ran once, without a conflict, and exceeded its time limit.

    Either it has too much work, or the server did not answer.
    """


async def connect(uri: str) -> Database:
    """Opens the database that the URI names, `leadscore` by default, and checks that it supports transactions.

    The client belongs to the event loop in which it is created. Close it with `await database.client.close()`.

    Raises:
        StartupError: The URI is malformed, no server answers, or it is not a replica set. The message
            contains no password.
    """
    hosts = mongo_uris.hosts(mongo_uris.parse(uri))
    try:
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri,
            tz_aware=True,
            tzinfo=UTC,
            readConcernLevel="majority",
            serverSelectionTimeoutMS=SELECT_SECONDS * 1000,
            appname="leadscore",
            server_selector=choose_member,
        )
    except (PyMongoError, ValueError, OSError) as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None
    try:
        await _check_server(client, hosts)
    except BaseException as error:
        unreachable = mongo_uris.no_primary_at(hosts, client)  # a closed client does not know why
        await client.close()
        if isinstance(error, ConnectionFailure):
            raise StartupError(unreachable) from None
        if isinstance(error, PyMongoError):
            raise StartupError(f"LEADSCORE_MONGO_URI: {mongo_uris.text_of(error)}") from None
        raise
    return client.get_default_database("leadscore")


def durable(collection: Collection) -> Collection:
    """Returns the collection with a write concern that waits until a majority has journaled a write.

    The client itself has no write concern: it would also be sent inside transactions, where the server refuses it.
    """
    return collection.with_options(write_concern=_MAJORITY)


def naive(collection: Collection) -> Collection:
    """Returns the collection with times read as naive datetimes, in UTC.

    The driver decodes aware ones three times as slowly, which matters where thousands of documents are read.
    """
    options = collection.codec_options.with_options(tz_aware=False, tzinfo=None)
    return collection.with_options(codec_options=options)


def lenient(collection: Collection) -> Collection:
    """Returns the collection with times outside of the years 1 to 9999 clamped, for rows that may be damaged.

    By default, the driver raises an error, and a damaged document hides all others that are read with it.
    """
    options = collection.codec_options.with_options(datetime_conversion=DatetimeConversion.DATETIME_CLAMP)
    return collection.with_options(codec_options=options)


async def is_primary(database: Database) -> bool:
    """Returns whether the primary can be reached."""
    hello = await database.client.admin.command("hello")
    return bool(hello.get("isWritablePrimary"))


async def server_time(database: Database) -> datetime:
    """Returns the current time on the primary."""
    hello = await database.client.admin.command("hello", codec_options=database.codec_options)
    time: datetime = hello["localTime"]
    return time


async def transact(database: Database, body: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Runs `body` as one transaction: snapshot reads, majority writes.

    Every operation that `body` awaits is part of the transaction; the session is bound implicitly. After a conflict
    `body` runs again from the start, so it must only load, decide and write.

    Raises:
        TransactionTimeout: The body ran only once and did not finish within `seconds`.
        PyMongoError: The transaction did not commit within `seconds`, or its outcome is unknown.
    """
    attempts = Attempts()

    async def run(_: AsyncClientSession) -> T:
        with attempts.attempt():
            return await body()

    try:
        with pymongo.timeout(seconds):
            async with database.client.start_session() as session, session.bind(end_session=False):
                return await session.with_transaction(
                    run, read_concern=ReadConcern("snapshot"), write_concern=_MAJORITY
                )
    except PyMongoError as error:
        if attempts.count == 1 and is_timeout(error):
            raise TransactionTimeout(str(error), 50) from error
        raise


@contextlib.asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[None]:
    """Makes all reads in the block see one point in time, which no failover can roll back."""
    token = _ASKED.set(_Asked())
    try:
        async with database.client.start_session(snapshot=True) as session, session.bind(end_session=False):
            yield
    finally:
        _ASKED.reset(token)


def choose_member(members: list[ServerDescription]) -> list[ServerDescription]:
    """Returns those of the members among which the driver may choose: in a snapshot, the one that it has asked before.

    Another one may be further behind, and would answer only once it has reached the point in time of the snapshot.
    """
    asked = _ASKED.get()
    if asked is None or len(members) < 2:
        return members
    chosen = [each for each in members if each.address == asked.address]
    if not chosen:
        fastest = min(each.round_trip_time or 0.0 for each in members)
        near = [each for each in members if (each.round_trip_time or 0.0) <= fastest + NEAR_SECONDS]
        chosen = [random.choice(near)]  # noqa: S311 (not security)
        asked.address = chosen[0].address
    return chosen


def is_timeout(error: BaseException) -> bool:
    """Returns whether work on MongoDB exceeded its time limit, although a server was there."""
    return isinstance(error, PyMongoError) and error.timeout and not _is_server_away(error)


def _is_server_away(error: BaseException | None) -> bool:
    """Returns whether no server was found; the driver may report this as a time-out."""
    return error is not None and (isinstance(error, ServerSelectionTimeoutError) or _is_server_away(error.__cause__))


async def _check_server(client: AsyncMongoClient[Document], hosts: Sequence[str]) -> None:
    hello = await client.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StartupError(mongo_uris.no_replica_set(hosts))
    await _warn_of_orphans(client)


async def _warn_of_orphans(client: AsyncMongoClient[Document]) -> None:
    """Logs a warning if the transaction of a killed process would block others for long.

    mongod keeps the transaction of a dead client, with its locks, for `transactionLifetimeLimitSeconds`.
    """
    try:
        answer = await client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
    except OperationFailure:
        return  # not permitted to ask
    seconds = answer["transactionLifetimeLimitSeconds"]
    if seconds > ORPHAN_SECONDS:
        advice = f"start mongod with --setParameter transactionLifetimeLimitSeconds={ORPHAN_SECONDS}"
        _LOG.warning("a killed worker would block its partitions", seconds=seconds, advice=advice)
