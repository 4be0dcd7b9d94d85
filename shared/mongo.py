"""MongoDB: connections, transactions and snapshot reads.

Guarantee: every acknowledged write is journaled on a majority of the replica set, no read returns data that a failover
can roll back, and `transact()` runs its body as one snapshot transaction with a time limit.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pymongo
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
"""Longest time to find a primary; shorter than a call's own bound, so that callers see UNAVAILABLE."""

LOOK_SECONDS = 1.0
"""How long to look for the primary of what may be no replica set yet."""

ORPHAN_SECONDS = 10
"""How long the transaction of a killed process should stay open on the server: a bit more than a drain's bound."""

_LOG = logs.get(__name__)
_UNREADABLE = (
    "LEADSCORE_MONGO_URI: is no MongoDB URI: percent-encode the user and the password, and look at the options "
    "and, with mongodb+srv, at the DNS records"
)
_MAJORITY = WriteConcern("majority", j=True)
_IMPLIED_BY_TLS_INSECURE = {"tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsDisableOCSPEndpointCheck"}
_NOT_YET_INITIALIZED = 94
_NO_REPLICATION_ENABLED = 76
_ALREADY_INITIALIZED = 23


class TransactionTimeout(ExecutionTimeout):
    """The body of a transaction ran once, with no conflict in its way, and did not end within the time it had.

    Either its work is too much for the time, or the server did not answer.
    """


async def connect(uri: str) -> Database:
    """Opens the database that the URI names and checks that it can do transactions.

    It is `leadscore` when the URI names none.
    A client belongs to the event loop in which it is made. Close it with `await database.client.close()`.

    Raises:
        StartupError: The URI is malformed, nothing answers at it, or it is no replica set. The text holds no password.
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
            raise StartupError(_nobody_at(hosts)) from None
        if isinstance(error, PyMongoError):
            raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None
        raise
    return client.get_default_database("leadscore")


def durable(collection: Collection) -> Collection:
    """Returns a collection whose writes, outside of transactions, are acknowledged once a majority has journaled them.

    A write concern of the whole client would be sent inside transactions too, where the server refuses it.
    """
    return collection.with_options(write_concern=_MAJORITY)


def naive(collection: Collection) -> Collection:
    """Returns a collection whose times are read without a zone; they are UTC.

    The driver takes three times as long for a document with aware ones, which matters where thousands are read.
    """
    options = collection.codec_options.with_options(tz_aware=False, tzinfo=None)
    return collection.with_options(codec_options=options)


async def is_primary(database: Database) -> bool:
    """Tells whether the primary can be reached."""
    hello = await database.client.admin.command("hello")
    return bool(hello.get("isWritablePrimary"))


async def server_time(database: Database) -> datetime:
    """Returns the time by the clock of the primary."""
    hello = await database.client.admin.command("hello", codec_options=database.codec_options)
    time: datetime = hello["localTime"]
    return time


async def transact(database: Database, body: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Runs `body` as one transaction: snapshot reads, majority writes.

    Every operation awaited in `body` belongs to the transaction without being handed the session. On a conflict `body`
    runs again from its start, so it loads, decides and writes inside, and does nothing else.

    Raises:
        TransactionTimeout: The body, which ran only once, did not end within `seconds`.
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
        if runs == 1 and error.timeout and not _is_server_away(error):
            raise TransactionTimeout(str(error), 50) from error
        raise


@contextlib.asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[None]:
    """Lets every read inside see one point in time: a moment that no failover takes back."""
    async with database.client.start_session(snapshot=True) as session, session.bind(end_session=False):
        yield


def initiate(uri: str) -> None:
    """Makes the servers that the URI names a replica set, unless they are one; returns when it has a primary.

    Raises:
        StartupError: The URI is malformed, nothing answers at it, or `mongod` runs without `--replSet`.
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
        raise StartupError(_nobody_at(hosts)) from None
    except OperationFailure as error:
        if error.code == _ALREADY_INITIALIZED:
            return  # by somebody else, a moment ago
        if error.code == _NO_REPLICATION_ENABLED:
            raise StartupError(_no_replica_set(hosts)) from None
        raise StartupError(f"MongoDB at {','.join(hosts)} refuses: {error.details}") from None
    except (PyMongoError, ValueError, OSError) as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None


def _is_server_away(error: BaseException | None) -> bool:
    """Tells whether no server was found, which the driver may have turned into a time-out."""
    return error is not None and (isinstance(error, ServerSelectionTimeoutError) or _is_server_away(error.__cause__))


def _has_primary(uri: str) -> bool:
    """Tells whether the servers are a replica set already that has a primary now, whichever of them it is."""
    with MongoClient[Document](uri, serverSelectionTimeoutMS=LOOK_SECONDS * 1000) as client:
        try:
            hello = client.admin.command("hello")
        except ConnectionFailure:
            return False
    return "setName" in hello and bool(hello["isWritablePrimary"])


def _tls(parsed: Document) -> Document:
    """Returns the options of a URI without which a server that requires TLS does not answer."""
    options = {name: value for name, value in parsed["options"].items() if name.startswith("tls")}
    if "tlsInsecure" in options:  # the parser adds what it implies, which the client refuses beside it
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
    if "setName" not in await client.admin.command("hello"):
        raise StartupError(_no_replica_set(hosts))
    await _warn_of_orphans(client)


async def _warn_of_orphans(client: AsyncMongoClient[Document]) -> None:
    """Says so in the log when a killed process would hold others up for long.

    mongod keeps the transaction of a client that died, with its locks, for `transactionLifetimeLimitSeconds`.
    """
    try:
        answer = await client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
    except OperationFailure:
        return  # we may not ask
    seconds = answer["transactionLifetimeLimitSeconds"]
    if seconds > ORPHAN_SECONDS:
        advice = f"start mongod with --setParameter transactionLifetimeLimitSeconds={ORPHAN_SECONDS}"
        _LOG.warning("a killed worker would hold its partitions up", seconds=seconds, advice=advice)


def _parse(uri: str) -> Document:
    try:
        parsed = dict(parse_uri(uri))
    except OSError as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None  # a file that an option names
    except (PyMongoError, ValueError):
        raise StartupError(_UNREADABLE) from None  # not with the error: it may quote a part of the password
    if uri.count("@") > (parsed["username"] is not None):
        # Read at the wrong places: a part of the password is taken for the host, and would be told as such.
        raise StartupError(_UNREADABLE)
    return parsed


def _hosts(parsed: Document) -> list[str]:
    return [f"{host}:{port}" for host, port in parsed["nodelist"]]


def _nobody_at(hosts: Sequence[str]) -> str:
    place = ",".join(hosts)
    return f"no MongoDB primary answers at {place}: start it or set LEADSCORE_MONGO_URI; run migrate if it is new"


def _no_replica_set(hosts: Sequence[str]) -> str:
    return f"MongoDB at {','.join(hosts)} is not a replica set: start mongod with --replSet rs0, then run migrate"
