"""The collection of executions."""

from collections.abc import Collection, Sequence

from pymongo import DESCENDING

from automation_service.domain.execution import Execution, ExecutionNotFound, Firing, Firings, Key
from automation_service.ports import ExecutionQuery
from automation_service.store import documents
from automation_service.store.execution_ids import is_execution_id, these, this
from automation_service.store.schema import EXECUTIONS, LATEST_FIRST, PARTITIONS
from shared import mongo
from shared.mongo import Database, Document
from shared.partitions import BY_ID, Partitions

MAX_PAIRS = 1000
"""Pairs of a lead and a rule whose last firing is looked up in one query."""


class MongoExecutions:
    """Implements `Executions` on MongoDB. The unique index `once` guarantees one execution per key."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._locks = database[PARTITIONS]
        self._partitions = partitions
        self._executions = database[EXECUTIONS]

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns the keys that already have an execution."""
        if not keys:
            return set()
        ids = {key.execution_id: key for key in keys}
        rows = self._executions.find(these(self._partitions, ids), {"_id": 1}, hint=BY_ID)
        return {ids[row["_id"]] async for row in rows}

    async def last_firings(self, pairs: Collection[tuple[str, str]]) -> Firings:
        """Returns the last firing of each pair of a lead and a rule; see `Executions`."""
        wanted = [
            {"partition": self._partitions.of(lead_id), "lead_id": lead_id, "rule_id": rule_id}
            for lead_id, rule_id in pairs
        ]
        found: dict[tuple[str, str], Firing] = {}
        for start in range(0, len(wanted), MAX_PAIRS):
            stages = [*rows_of(wanted[start : start + MAX_PAIRS]), LAST_FIRING]
            async for row in await self._locks.aggregate(stages):
                for firing in row["firings"]:
                    found[row["lead_id"], row["rule_id"]] = Firing(**firing)
        return found

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores new executions; see `Executions`."""
        if executions:
            await self._executions.insert_many([self._row(each) for each in executions])

    async def get(self, execution_id: str) -> Execution:
        """Returns an execution; see `Executions`."""
        row = None
        if is_execution_id(execution_id):
            row = await self._executions.find_one(this(self._partitions, execution_id), hint=BY_ID)
        if row is None:
            raise ExecutionNotFound(execution_id)
        return documents.read_execution(row)

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns a page of executions, latest first."""
        rows = self._executions.find(self._filter(query)).sort(LATEST_FIRST).limit(query.limit)
        return [documents.read_execution(row) async for row in rows]

    async def revive(self, before: Execution, after: Execution) -> bool:
        """Replaces the deliveries of `before` with those of `after`; see `Executions`."""
        stored, revived = self._row(before), self._row(after)
        update = {"$set": {"deliveries": revived["deliveries"], "state": revived["state"]}}
        unchanged = {name: stored[name] for name in ("_id", "partition", "deliveries")}
        updated = await mongo.durable(self._executions).update_one(unchanged, update, hint=BY_ID)
        return updated.matched_count == 1

    def _row(self, execution: Execution) -> Document:
        return documents.write_execution(execution, self._partitions.of(execution.key.lead_id))

    def _filter(self, query: ExecutionQuery) -> Document:
        fields = {"lead_id": query.lead_id, "rule_id": query.rule_id, "date_bucket": query.date_bucket}
        matching: Document = {field: value for field, value in fields.items() if value}
        if query.lead_id:
            matching["partition"] = self._partitions.of(query.lead_id)
        if query.state:
            matching["state"] = query.state.value
        bounds = {"$gte": query.from_time, "$lt": query.until_time}
        if bounds := {bound: time for bound, time in bounds.items() if time}:
            matching["record_time"] = bounds
        if query.after:
            time, execution_id = query.after
            matching["$or"] = [{"record_time": {"$lt": time}}, {"record_time": time, "_id": {"$lt": execution_id}}]
        return matching


_PAIR = ("partition", "lead_id", "rule_id")


def rows_of(pairs: Sequence[Document]) -> list[Document]:
    """Returns stages that turn one row, the lock of the first pair's partition, into a row for each pair.

    The stage `$documents` needs no row, but a user who may read every collection.
    """
    return [
        {"$match": {"_id": pairs[0]["partition"]}},
        {"$project": {"pair": {"$literal": pairs}}},
        {"$unwind": "$pair"},
        {"$replaceRoot": {"newRoot": "$pair"}},
    ]


LAST_FIRING: Document = {
    "$lookup": {
        "from": EXECUTIONS,
        "let": {name: f"${name}" for name in _PAIR},
        "pipeline": [
            {"$match": {"$expr": {"$and": [{"$eq": [f"${name}", f"$${name}"]} for name in _PAIR]}}},
            {"$sort": {"date_bucket": DESCENDING}},
            {"$limit": 1},
            {"$project": {"_id": 0, "date_bucket": 1, "last_event_time": 1}},
        ],
        "as": "firings",
    }
}
"""Joins a lead and a rule with their last firing: a list of one, or an empty one. It uses the index `once`."""
