"""MongoDB: connections, transactions and snapshot reads.

Guarantee: every acknowledged write is journaled on a majority of the replica set, no read returns data that a failover
can roll back, and `transact()` runs its body as one snapshot transaction with a time limit.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pymongo
from bson.codec_options import DatetimeConversion
from pymongo import AsyncMongoClient, MongoClient
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
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from shared import logs
from shared.settings import StartupError

Document = dict[str, Any]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
T = TypeVar("T")

SELECT_SECONDS = 5.0
"""Longest time to find a primary; shorter than the time limit of a call, so that callers see UNAVAILABLE."""

LOOK_SECONDS = 1.0
"""Longest time to look for a primary before the replica set is initiated."""

ORPHAN_SECONDS = 10
"""Recommended lifetime of the transaction of a killed process: slightly more than the time limit of a drain."""

_LOG = logs.get(__name__)
_UNREADABLE = (
    "LEADSCORE_MONGO_URI: is not a MongoDB URI: percent-encode the user and the password, and check the options "
    "and, with mongodb+srv, the DNS records"
)
_MAJORITY = WriteConcern("majority", j=True)
_IMPLIED_BY_TLS_INSECURE = {"tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsDisableOCSPEndpointCheck"}
_NOT_YET_INITIALIZED = 94
_NO_REPLICATION_ENABLED = 76
_ALREADY_INITIALIZED = 23


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
    hosts = _hosts(_parse(uri))
    try:
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri,
            tz_aware=True,
            tzinfo=UTC,
            readConcernLevel="majority",
            serverSelectionTimeoutMS=SELECT_SECONDS * 1000,
            appname="leadscore",
        )
    except (PyMongoError, ValueError, OSError) as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None
    try:
        await _check_server(client, hosts)
    except BaseException as error:
        await client.close()
        if isinstance(error, ConnectionFailure):
            raise StartupError(_no_primary_at(hosts)) from None
        if isinstance(error, PyMongoError):
            raise StartupError(f"LEADSCORE_MONGO_URI: {_text_of(error)}") from None
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
    runs = 0

    async def run(_: AsyncClientSession) -> T:
        nonlocal runs
        runs += 1
        return await body()

    try:
        with pymongo.timeout(seconds):
            async with database.client.start_session() as session, session.bind(end_session=False):
                return await session.with_transaction(
                    run, read_concern=ReadConcern("snapshot"), write_concern=_MAJORITY
                )
    except PyMongoError as error:
        if runs == 1 and is_timeout(error):
            raise TransactionTimeout(str(error), 50) from error
        raise


@contextlib.asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[None]:
    """Makes all reads in the block see one point in time, which no failover can roll back."""
    async with database.client.start_session(snapshot=True) as session, session.bind(end_session=False):
        yield


def initiate(uri: str) -> None:
    """Initiates the replica set that the URI names, unless it exists; returns when it has a primary.

    Raises:
        StartupError: The URI is malformed, no server answers, or `mongod` runs without `--replSet`.
    """
    parsed = _parse(uri)
    hosts = _hosts(parsed)
    name = parsed["options"].get("replicaSet")
    try:
        if _has_primary(uri):
            return
        with MongoClient[Document](
            hosts[0], directConnection=True, serverSelectionTimeoutMS=10_000, **_tls(parsed)
        ) as seed:
            if not _is_initiated(seed):
                if name is None:
                    raise StartupError("LEADSCORE_MONGO_URI must end with ?replicaSet= and the name that mongod has")
                members = [{"_id": index, "host": host} for index, host in enumerate(hosts)]
                seed.admin.command("replSetInitiate", {"_id": name, "members": members})
        with MongoClient[Document](uri, serverSelectionTimeoutMS=30_000) as client:
            client.admin.command("ping")
    except ConnectionFailure:
        raise StartupError(_no_primary_at(hosts)) from None
    except OperationFailure as error:
        if error.code == _ALREADY_INITIALIZED:
            return  # by another process, just now
        if error.code == _NO_REPLICATION_ENABLED:
            raise StartupError(_no_replica_set(hosts)) from None
        raise StartupError(f"MongoDB at {','.join(hosts)} refuses: {_text_of(error)}") from None
    except (PyMongoError, ValueError, OSError) as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None


def is_timeout(error: BaseException) -> bool:
    """Returns whether work on MongoDB exceeded its time limit, although a server was there."""
    return isinstance(error, PyMongoError) and error.timeout and not _is_server_away(error)


def _is_server_away(error: BaseException | None) -> bool:
    """Returns whether no server was found; the driver may report this as a time-out."""
    return error is not None and (isinstance(error, ServerSelectionTimeoutError) or _is_server_away(error.__cause__))


def _has_primary(uri: str) -> bool:
    """Returns whether the servers already are a replica set with a primary."""
    with MongoClient[Document](uri, serverSelectionTimeoutMS=LOOK_SECONDS * 1000) as client:
        try:
            hello = client.admin.command("hello")
        except ConnectionFailure:
            return False
    return "setName" in hello and bool(hello["isWritablePrimary"])


def _tls(parsed: Document) -> Document:
    """Returns the TLS options of a URI."""
    options = {name: value for name, value in parsed["options"].items() if name.startswith("tls")}
    if "tlsInsecure" in options:  # the parser adds the implied options, which the client refuses next to it
        return {name: options[name] for name in options if name not in _IMPLIED_BY_TLS_INSECURE}
    return options


def _is_initiated(seed: MongoClient[Document]) -> bool:
    if "setName" in seed.admin.command("hello"):
        return True
    try:
        seed.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == _NOT_YET_INITIALIZED:
            return False
        raise
    return True


async def _check_server(client: AsyncMongoClient[Document], hosts: Sequence[str]) -> None:
    hello = await client.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StartupError(_no_replica_set(hosts))
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


def _parse(uri: str) -> Document:
    try:
        parsed = dict(parse_uri(uri))
    except OSError as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None  # a file named by an option
    except (PyMongoError, ValueError):
        raise StartupError(_UNREADABLE) from None  # without the error: it may quote a part of the password
    if uri.count("@") > (parsed["username"] is not None):
        # An unescaped @: the parser takes a part of the password for the host, and errors would show it.
        raise StartupError(_UNREADABLE)
    return parsed


def _text_of(error: PyMongoError) -> str:
    """Returns the server's own sentence, if there is one: the driver adds the whole reply to it."""
    details = error.details if isinstance(error, OperationFailure) else None
    return str((details or {}).get("errmsg") or error)


def _hosts(parsed: Document) -> list[str]:
    return [f"{host}:{port}" for host, port in parsed["nodelist"]]


def _no_primary_at(hosts: Sequence[str]) -> str:
    addresses = ",".join(hosts)
    return f"no MongoDB primary answers at {addresses}: start it or set LEADSCORE_MONGO_URI; run migrate if it is new"


def _no_replica_set(hosts: Sequence[str]) -> str:
    return f"MongoDB at {','.join(hosts)} is not a replica set: start mongod with --replSet rs0, then run migrate"
