"""The collections, indexes and partitions that this service owns."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel

from automation_service.domain.delivery import ExecutionState
from automation_service.domain.execution import Key
from shared.indexes import check_indexes, create_indexes
from shared.locks import create_locks
from shared.mongo import Database, Document
from shared.schema_versions import Schema
from shared.settings import StartupError
from shared.sharding import BY_LEAD, BY_PARTITION, ShardKey

RULES, EXECUTIONS = "automation_rules", "automation_executions"
PARTITIONS, SEARCHES = "automation_partitions", "automation_searches"
HOLDS = "automation_holds"

LATEST_FIRST = [("record_time", DESCENDING), ("_id", DESCENDING)]
PENDING = ExecutionState.PENDING.value
DUE_INDEX = "due_by_endpoint"
ANY_TEXT: Document = {"$gte": ""}
"""Matches every text. MongoDB uses the bounds of a multikey index only if its first field has a condition."""

SCHEMA = Schema("automation")
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    RULES: [],
    EXECUTIONS: [
        # Rules that fire once per date have the empty event id.
        IndexModel([(name, ASCENDING) for name in ("partition", *Key._fields)], name="once", unique=True),
        IndexModel(LATEST_FIRST, name="latest"),
        IndexModel([("rule_id", ASCENDING), *LATEST_FIRST], name="latest_of_rule"),
        IndexModel([("date_bucket", ASCENDING), *LATEST_FIRST], name="latest_of_date"),
        IndexModel([("state", ASCENDING), *LATEST_FIRST], name="latest_of_state"),
        IndexModel(
            [(f"deliveries.{name}", ASCENDING) for name in ("endpoint", "due_time", "lease", "tries")],
            name=DUE_INDEX,
            partialFilterExpression={"state": PENDING},
        ),
    ],
    PARTITIONS: [],
    SEARCHES: [],
    HOLDS: [],
}
SHARD_KEYS: Mapping[str, ShardKey] = {EXECUTIONS: BY_LEAD, PARTITIONS: BY_PARTITION}


async def migrate(database: Database, *, partitions: int) -> None:
    """Creates the collections and indexes, and a lock per partition. Safe to run again."""
    await SCHEMA.migrate(database)
    await create_indexes(database, INDEXES)
    await create_locks(database[PARTITIONS], ({"_id": partition} for partition in range(partitions)))


async def check(database: Database, *, partitions: int) -> None:
    """Checks at startup that the database has been migrated for this service.

    Raises:
        StartupError: The version differs, or an index or a partition is missing.
    """
    await SCHEMA.check(database)
    await check_indexes(database, INDEXES, service="automation")
    if await database[PARTITIONS].find_one({"_id": partitions - 1}) is None:
        raise StartupError("the database has no automation partitions: run migrate of the automation service")
