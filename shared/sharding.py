"""Shards the collections of a database over the shards of a MongoDB cluster.

Guarantee: all rows of a partition get the same zone in every collection, so they are on one shard, and a transaction
over one partition stays there. Every unique index begins with the shard key of its collection. No test runs this on a
cluster, because none is to be had where the tests run; they check the commands that it sends.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import MaxKey, MinKey
from pymongo import ASCENDING

from shared.mongo import Database, Document
from shared.settings import StartupError

ShardKey = Sequence[tuple[str, int | str]]
BY_PARTITION: ShardKey = [("_id", ASCENDING)]
"""The shard key of rows whose id is a partition."""
BY_ROW: ShardKey = [("partition", ASCENDING), ("_id", ASCENDING)]
"""The shard key of rows that are found by their ids."""
BY_LEAD: ShardKey = [("partition", ASCENDING), ("lead_id", ASCENDING)]
"""The shard key of rows that are found by their leads."""
BY_HASH: ShardKey = [("_id", "hashed")]
"""The shard key of rows that belong to no partition; their ids are unique across all shards."""

MIN_VERSION = 8
"""MongoDB 8.0 is the first one in which a transaction can join a sharded collection, as automation does."""


async def shard(database: Database, keys: Mapping[str, ShardKey], *, partitions: int) -> int:
    """Shards collections by their keys, and returns the number of shards; safe to run again after it has changed.

    Each shard gets the same number of consecutive partitions, as far as possible (`Partitions.shard_of`). MongoDB moves
    rows in the background.

    Raises:
        StartupError: The server is not a mongos, or its version is too old.
    """
    await _check(database)
    admin = database.client.admin
    shards = sorted(each["_id"] for each in (await admin.command("listShards"))["shards"])
    await admin.command("enableSharding", database.name)
    for number, name in enumerate(shards):
        await admin.command("addShardToZone", name, zone=zone_of(number))
    for collection, key in keys.items():
        await _create_index(database, collection, key)
        await admin.command("shardCollection", f"{database.name}.{collection}", key=dict(key))
        if key is not BY_HASH:
            await _set_zones(database, collection, key, partitions, len(shards))
    return len(shards)


def zone_of(number: int) -> str:
    """Returns the zone of a shard, given its number in the order of the names."""
    return f"leadscore-{number}"


async def _check(database: Database) -> None:
    if (await database.client.admin.command("hello")).get("msg") != "isdbgrid":
        raise StartupError("LEADSCORE_MONGO_URI: migrate --sharded needs the address of a mongos")
    version = (await database.client.server_info())["version"]
    if int(version.partition(".")[0]) < MIN_VERSION:
        raise StartupError(f"a sharded database needs MongoDB {MIN_VERSION}.0 or later, this is {version}")


async def _create_index(database: Database, collection: str, key: ShardKey) -> None:
    """Creates an index for a shard key, unless one begins with it."""
    existing = await database[collection].index_information()
    if not any(list(key) == list(index["key"])[: len(key)] for index in existing.values()):
        await database[collection].create_index(list(key), name="shard_key")


async def _set_zones(database: Database, collection: str, key: ShardKey, partitions: int, shards: int) -> None:
    namespace, zones = f"{database.name}.{collection}", _zones(key, partitions, shards)
    async for tag in database.client["config"]["tags"].find({"ns": namespace}):
        if (tag["min"], tag["max"], tag["tag"]) not in zones:
            await _set_zone(database, namespace, tag["min"], tag["max"], None)
    for first, end, zone in zones:
        await _set_zone(database, namespace, first, end, zone)


async def _set_zone(database: Database, namespace: str, first: Document, end: Document, zone: str | None) -> None:
    await database.client.admin.command("updateZoneKeyRange", namespace, min=first, max=end, zone=zone)


def _zones(key: ShardKey, partitions: int, shards: int) -> list[tuple[Document, Document, str]]:
    """Returns the ranges of a shard key that cover all partitions, each with its zone."""
    bounds: list[Any] = [MinKey(), *(number * partitions // shards for number in range(1, shards)), MaxKey()]
    keys = [_bound(key, bound) for bound in bounds]
    return [(keys[number], keys[number + 1], zone_of(number)) for number in range(shards)]


def _bound(key: ShardKey, partition: Any) -> Document:  # noqa: ANN401 (a number, or one of the ends)
    rest = MaxKey() if partition == MaxKey() else MinKey()
    return {field: rest if index else partition for index, (field, _) in enumerate(key)}
