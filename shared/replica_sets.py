"""The replica set that a URI names: `migrate` initiates it if it does not exist yet."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from shared import mongo_uris
from shared.mongo import Document
from shared.settings import StartupError

LOOK_SECONDS = 1.0
"""Longest time to look for a primary before the replica set is initiated."""
MEMBER_SECONDS = 10.0
"""Longest time until a member answers."""
PRIMARY_SECONDS = 30.0
"""Longest time until a new replica set has a primary."""
NO_OPTIONS: Mapping[str, Any] = {}
_NOT_YET_INITIALIZED = 94
_NO_REPLICATION_ENABLED = 76
_ALREADY_INITIALIZED = 23


def initiate(uri: str) -> None:
    """Initiates the replica set that the URI names, unless it exists; returns when it has a primary.

    Raises:
        StartupError: The URI is malformed, no server answers, or `mongod` runs without `--replSet`.
    """
    parsed = mongo_uris.parse(uri)
    hosts = mongo_uris.hosts(parsed)
    try:
        if _has_primary(uri):
            return
        options = {"directConnection": True} | mongo_uris.member_options(parsed)
        with _answering(hosts, hosts[0], MEMBER_SECONDS, options) as seed:
            if not _is_initiated(seed):
                _initiate(seed, parsed["options"].get("replicaSet"), hosts)
        with _answering(hosts, uri, PRIMARY_SECONDS) as client:
            client.admin.command("ping")
    except OperationFailure as error:
        if error.code == _ALREADY_INITIALIZED:
            return  # by another process, just now
        if error.code == _NO_REPLICATION_ENABLED:
            raise StartupError(mongo_uris.no_replica_set(hosts)) from None
        raise StartupError(f"MongoDB at {','.join(hosts)} refuses: {mongo_uris.text_of(error)}") from None
    except (PyMongoError, ValueError, OSError) as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None


def _has_primary(uri: str) -> bool:
    """Returns whether the servers already are a replica set with a primary."""
    with MongoClient[Document](uri, serverSelectionTimeoutMS=LOOK_SECONDS * 1000) as client:
        try:
            hello = client.admin.command("hello")
        except ConnectionFailure:
            return False
    return "setName" in hello and bool(hello["isWritablePrimary"])


@contextlib.contextmanager
def _answering(
    hosts: Sequence[str], where: str, seconds: float, options: Mapping[str, Any] = NO_OPTIONS
) -> Iterator[MongoClient[Document]]:
    """Opens a client of a URI or an address for a block, during which a server must answer within some seconds.

    Raises:
        StartupError: None does.
    """
    with MongoClient[Document](where, serverSelectionTimeoutMS=seconds * 1000, **options) as client:
        try:
            yield client
        except ConnectionFailure:
            raise StartupError(mongo_uris.no_primary_at(hosts, client)) from None


def _initiate(seed: MongoClient[Document], name: str | None, hosts: Sequence[str]) -> None:
    if name is None:
        raise StartupError("LEADSCORE_MONGO_URI must end with ?replicaSet= and the name that mongod has")
    members = [{"_id": index, "host": host} for index, host in enumerate(hosts)]
    seed.admin.command("replSetInitiate", {"_id": name, "members": members})


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
