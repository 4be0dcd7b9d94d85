"""Which partitions a command names: a sharded MongoDB sends it only to the shards that hold them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import automation_service.store.schema
import ingest_service.store
import scoring_service.store.schema
from shared.sharding import BY_HASH, BY_PARTITION, ShardKey
from tests.shared.commands import Commands

SHARD_KEYS: Mapping[str, ShardKey] = {
    **ingest_service.store.SHARD_KEYS,
    **scoring_service.store.schema.SHARD_KEYS,
    **automation_service.store.schema.SHARD_KEYS,
}


def unpinned(commands: Commands) -> set[tuple[str, str]]:
    """Returns the names and the collections of the commands on sharded collections that name no partition."""
    return {(name, sent[name]) for name, sent in _on_shards(commands) if partitions_of(name, sent) is None}


def transactions(commands: Commands) -> list[set[int]]:
    """Returns the partitions that the commands of each transaction name; each must name some."""
    found: dict[tuple[bytes, int], set[int]] = defaultdict(set)
    for name, sent in _on_shards(commands):
        if sent.get("autocommit") is False:
            partitions = partitions_of(name, sent)
            assert partitions is not None, f"{name} of {sent[name]} in a transaction names no partition: {sent}"
            found[bytes(sent["lsid"]["id"]), sent["txnNumber"]] |= partitions
    return list(found.values())


def outside(commands: Commands) -> set[tuple[str, str]]:
    """Returns the names and the collections of the commands that belong to no transaction."""
    return {(name, sent[name]) for name, sent in _on_shards(commands) if "autocommit" not in sent}


def partitions_of(name: str, sent: Mapping[str, Any]) -> set[int] | None:
    """Returns the partitions that a command names; None if a part of it may concern any partition."""
    field = "_id" if SHARD_KEYS[sent[name]] is BY_PARTITION else "partition"
    found = [_named(part, field) for part in _parts(name, sent)]
    return None if not found or None in found else set().union(*(each or () for each in found))


def _on_shards(commands: Commands) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, sent in commands.sent:
        if name != "getMore" and SHARD_KEYS.get(sent[name], BY_HASH) is not BY_HASH:
            yield name, sent


def _parts(name: str, sent: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the conditions of a command, or the rows that it inserts."""
    match name:
        case "insert":
            return list(sent["documents"])
        case "find":
            return [sent["filter"]]
        case "aggregate":
            return [sent["pipeline"][0].get("$match", {})]
        case "update" | "delete":
            return [each["q"] for each in sent[f"{name}s"]]
        case "findAndModify":
            return [sent["query"]]
        case _:
            raise AssertionError(f"unexpected command {name}")


def _named(part: Mapping[str, Any], field: str) -> set[int] | None:
    if field in part:
        value = part[field]
        return set(value["$in"]) if isinstance(value, dict) else {value}
    if "$or" in part:
        either = [_named(each, field) for each in part["$or"]]
        return None if None in either else set().union(*(each or () for each in either))
    return None
