"""What `migrate --sharded` sends to a cluster, which the tests do not have."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from bson import MaxKey, MinKey
from hypothesis import given
from hypothesis import strategies as st

from automation_service.store import schema as automation_schema
from scoring_service.store import schema as scoring_schema
from shared import sharding
from shared.mongo import Database, Document
from shared.partitions import Partitions
from shared.settings import StartupError
from shared.sharding import BY_HASH, BY_LEAD, BY_PARTITION, BY_ROW, ShardKey, shard
from tests.shared.pins import SHARD_KEYS

LOWEST, HIGHEST = MinKey(), MaxKey()


class Cluster:
    """A mongos, its client, its database `leadscore`, and each of their collections, all in one."""

    name = "leadscore"

    def __init__(self, *shards: str, message: str = "isdbgrid", version: str = "8.0.4") -> None:
        self.client = self.admin = self
        self.sent: list[tuple[Any, ...]] = []
        self.tags: list[Document] = []
        self.indexes: dict[str, Document] = {"_id_": {"key": [("_id", 1)]}}
        self._answers: dict[str, Document] = {
            "hello": {"msg": message},
            "listShards": {"shards": [{"_id": each} for each in shards]},
        }
        self._version = version

    async def command(self, name: str, value: object = 1, **arguments: Any) -> Document:
        """Answers, or records what changes something."""
        if name not in self._answers:
            self.sent.append((name, value, *arguments.values()))
        return self._answers.get(name, {})

    async def server_info(self) -> Document:
        """Returns the version."""
        return {"version": self._version}

    def __getitem__(self, name: str) -> "Cluster":
        return self

    async def index_information(self) -> dict[str, Document]:
        """Returns the indexes of every collection."""
        return self.indexes

    async def create_index(self, key: object, name: str) -> None:
        """Records the index."""
        self.sent.append(("create_index", key))

    async def find(self, which: Document) -> AsyncIterator[Document]:
        """Yields the ranges of zones of a collection."""
        for tag in self.tags:
            if tag["ns"] == which["ns"]:
                yield tag


async def sent_by(cluster: Cluster, keys: dict[str, ShardKey]) -> list[tuple[Any, ...]]:
    await shard(cast("Database", cluster), keys, partitions=64)
    return cluster.sent


async def test_partitions_are_spread_over_the_shards_in_equal_ranges() -> None:
    sent = await sent_by(Cluster("rs1", "rs0", "rs2"), {"leads": BY_ROW})
    assert sent == [
        ("enableSharding", "leadscore"),
        ("addShardToZone", "rs0", "leadscore-0"),
        ("addShardToZone", "rs1", "leadscore-1"),
        ("addShardToZone", "rs2", "leadscore-2"),
        ("create_index", [("partition", 1), ("_id", 1)]),
        ("shardCollection", "leadscore.leads", {"partition": 1, "_id": 1}),
        (
            "updateZoneKeyRange",
            "leadscore.leads",
            {"partition": LOWEST, "_id": LOWEST},
            {"partition": 21, "_id": LOWEST},
            "leadscore-0",
        ),
        (
            "updateZoneKeyRange",
            "leadscore.leads",
            {"partition": 21, "_id": LOWEST},
            {"partition": 42, "_id": LOWEST},
            "leadscore-1",
        ),
        (
            "updateZoneKeyRange",
            "leadscore.leads",
            {"partition": 42, "_id": LOWEST},
            {"partition": HIGHEST, "_id": HIGHEST},
            "leadscore-2",
        ),
    ]


async def test_rows_of_a_partition_are_in_the_same_zone_in_every_collection() -> None:
    sent = await sent_by(Cluster("rs0", "rs1"), {"leads": BY_ROW, "history": BY_LEAD, "partitions": BY_PARTITION})
    zones = [(each[2], each[3], each[4]) for each in sent if each[0] == "updateZoneKeyRange"]
    bounds = [(next(iter(first.values())), next(iter(end.values())), zone) for first, end, zone in zones]
    assert bounds == [(LOWEST, 32, "leadscore-0"), (32, HIGHEST, "leadscore-1")] * 3


async def test_ids_that_belong_to_no_partition_are_spread_by_their_hash() -> None:
    sent = await sent_by(Cluster("rs0", "rs1"), {"event_ids": BY_HASH})
    assert ("shardCollection", "leadscore.event_ids", {"_id": "hashed"}) in sent
    assert "updateZoneKeyRange" not in [each[0] for each in sent]


async def test_zones_of_fewer_shards_are_replaced() -> None:
    cluster = Cluster("rs0", "rs1")
    whole = {"min": {"_id": LOWEST}, "max": {"_id": HIGHEST}, "tag": "leadscore-0"}
    half = {"min": {"_id": LOWEST}, "max": {"_id": 32}, "tag": "leadscore-0"}
    cluster.tags = [{"ns": "leadscore.rows", **whole}, {"ns": "leadscore.rows", **half}, {"ns": "other", **whole}]
    sent = await sent_by(cluster, {"rows": BY_PARTITION})
    removed = [each[1:4] for each in sent if each[0] == "updateZoneKeyRange" and each[4] is None]
    assert removed == [("leadscore.rows", {"_id": LOWEST}, {"_id": HIGHEST})]


async def test_an_index_that_begins_with_the_shard_key_is_enough() -> None:
    cluster = Cluster("rs0")
    cluster.indexes["once"] = {"key": [("partition", 1), ("lead_id", 1), ("rule_id", 1)]}
    assert "create_index" not in [each[0] for each in await sent_by(cluster, {"executions": BY_LEAD})]


@pytest.mark.parametrize(
    ("cluster", "advice"),
    [
        (Cluster("rs0", message=""), "needs the address of a mongos"),
        (Cluster("rs0", version="7.0.14"), "needs MongoDB 8.0 or later, this is 7.0.14"),
    ],
)
async def test_what_is_no_cluster_that_fits_is_refused(cluster: Cluster, advice: str) -> None:
    with pytest.raises(StartupError, match=advice):
        await sent_by(cluster, {"leads": BY_ROW})
    assert cluster.sent == []


def test_every_unique_index_begins_with_the_shard_key_of_its_collection() -> None:
    found = {}
    for name, models in {**scoring_schema.INDEXES, **automation_schema.INDEXES}.items():
        for model in models:
            if model.document.get("unique"):
                found[name] = list(model.document["key"].items())[: len(SHARD_KEYS[name])] == list(SHARD_KEYS[name])
    assert found == {"score_history": True, "automation_executions": True}


@given(st.integers(1, 300), st.integers(1, 20))
def test_workers_know_which_partitions_share_a_shard(count: int, shards: int) -> None:
    partitions = Partitions(count, shards)
    zones = sharding._zones(BY_PARTITION, count, shards)
    for partition in range(count):
        [zone] = [zone for first, end, zone in zones if first["_id"] <= partition < end["_id"]]
        assert zone == sharding.zone_of(partitions.shard_of(partition))


def test_partitions_that_are_drained_together_are_on_one_shard() -> None:
    partitions, waiting = Partitions(64, 2), {3, 40, 31, 32}
    assert {tuple(partitions.on_one_shard(waiting)) for _ in range(100)} == {(3, 31), (32, 40)}
    assert Partitions(64).on_one_shard(waiting) == [3, 31, 32, 40]
    assert partitions.on_one_shard(set()) == []
