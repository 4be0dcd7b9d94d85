"""MongoDB ⇄ domain: what this service owns, and the consumer's side of `score_changes`; `backlog.py` counts both."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern

from automation_service.domain.delivery import NEVER, Delivery, ExecutionState
from automation_service.domain.execution import Execution, ExecutionNotFound, Firing, Firings, Key
from automation_service.domain.lead import Change
from automation_service.domain.rule import Rule, RuleExists, RuleNotFound
from automation_service.ports import Claim, Due, ExecutionQuery, Settlement
from automation_service.store import documents
from shared import logs, mongo
from shared.deadlines import deadline, seconds_left
from shared.inbox.collection import Inbox
from shared.mongo import Database, Document
from shared.rpc.pagination import Place
from shared.settings import StartupError

CHANGES, DONE = "score_changes", "done"
RULES, EXECUTIONS = "automation_rules", "automation_executions"
PARTITIONS = "automation_partitions"
MAX_CANCELLED = 500
"""Executions whose deliveries are cancelled in one transaction."""
CANCEL_SECONDS = 5.0
"""Longest time for such a transaction."""
MAX_PAIRS = 1000
"""Pairs of a lead and a rule whose last firing is looked up together."""

_LATEST = [("record_time", DESCENDING), ("_id", DESCENDING)]
_PENDING = ExecutionState.PENDING.value
DUE_INDEX = "due_by_endpoint"
ANY_TEXT: Document = {"$gte": ""}
"""Without a condition on its first field the bounds of an index on lists are lost."""
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    RULES: [],
    EXECUTIONS: [
        IndexModel(
            [("lead_id", ASCENDING), ("rule_id", ASCENDING), ("date_bucket", ASCENDING)], name="once", unique=True
        ),
        IndexModel(_LATEST, name="latest"),
        IndexModel([("rule_id", ASCENDING), *_LATEST], name="latest_of_rule"),
        IndexModel([("date_bucket", ASCENDING), *_LATEST], name="latest_of_date"),
        IndexModel([("state", ASCENDING), *_LATEST], name="latest_of_state"),
        IndexModel(
            [(f"deliveries.{name}", ASCENDING) for name in ("endpoint", "due_time", "lease", "tries")],
            name=DUE_INDEX,
            partialFilterExpression={"state": _PENDING},
        ),
    ],
    PARTITIONS: [],
}
T = TypeVar("T")
_LOG = logs.get(__name__)


async def migrate(database: Database, *, partitions: int) -> None:
    """Creates what this service owns: collections, indexes, and all partitions."""
    await mongo.create_indexes(database, INDEXES)
    rows = [UpdateOne({"_id": each}, {"$setOnInsert": {"transactions": 0}}, upsert=True) for each in range(partitions)]
    await mongo.durable(database[PARTITIONS]).bulk_write(rows)


async def check(database: Database, *, partitions: int) -> None:
    """Checks at start that the database was made for this service: deliveries that are due are found by an index.

    Raises:
        StartupError: It was not.
    """
    await mongo.check_indexes(database, INDEXES, service="automation")
    if await database[PARTITIONS].find_one({"_id": partitions - 1}) is None:
        raise StartupError("the database has no automation partitions: run migrate of the automation service")


class MongoChanges:
    """`Changes` over the inbox."""

    def __init__(self, database: Database, inbox: Inbox, *, transaction_seconds: float) -> None:
        self._database = database
        self._inbox = inbox
        self._seconds = transaction_seconds

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction; see `Changes`."""
        return await mongo.transact(self._database, body, seconds=self._seconds)

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> list[Change]:
        """Returns the oldest changes that wait in some partitions; see `Changes`."""
        rows = await self._inbox.pending(partitions, limit, ids=ids)
        return sorted(map(documents.read_change, rows), key=lambda change: (change.lead_id, change.sequence))

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns those of the changes that nobody has marked since they were read."""
        ids = {row["_id"] for row in await self._inbox.still_pending(_ids(changes))}
        return [change for change in changes if change.change_id in ids]

    async def take(self, lead_ids: Collection[str]) -> None:
        """Takes the partitions of leads for this transaction; see `Changes`."""
        if lead_ids:
            taken = {self._inbox.partition_of(lead_id) for lead_id in lead_ids}
            await self._database[PARTITIONS].update_many({"_id": {"$in": sorted(taken)}}, {"$inc": {"transactions": 1}})

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks changes as done."""
        await self._inbox.mark(_ids(changes))


class MongoRules:
    """`Rules` over MongoDB; a rule's `_id` is its id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rules = database[RULES]
        self._executions = database[EXECUTIONS]

    async def create(self, rule: Rule) -> None:
        """Stores a new rule; see `Rules`."""
        try:
            await mongo.durable(self._rules).insert_one(documents.write_rule(rule))
        except DuplicateKeyError:
            raise RuleExists(rule.draft.rule_id) from None

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule; see `Rules`."""
        row = await self._rules.find_one({"_id": rule_id})
        if row is None:
            raise RuleNotFound(rule_id)
        return documents.read_rule(row)

    async def page(self, after: Place, limit: int) -> list[Rule]:
        """Returns the rules whose ids follow a place, by id."""
        cursor = self._rules.find({"_id": {"$gt": after[0]}} if after else {}).sort("_id", ASCENDING).limit(limit)
        return [documents.read_rule(row) async for row in cursor]

    async def enabled(self, rule_ids: Collection[str] | None = None) -> list[Rule]:
        """Returns all enabled rules, or those with some ids."""
        which = {"enabled": True} | ({} if rule_ids is None else {"_id": {"$in": list(rule_ids)}})
        return [documents.read_rule(row) async for row in self._rules.find(which)]

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Stores a rule in the place of the one with its id and this revision; see `Rules`."""
        row = documents.write_rule(rule)
        stored = {"_id": row["_id"], "revision": revision}
        replaced = await mongo.durable(self._rules).replace_one(stored, row)
        if replaced.matched_count and not rule.draft.enabled:
            await self._cancel(row["_id"])
        return replaced.matched_count == 1

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule; see `Rules`."""
        deleted = await mongo.durable(self._rules).delete_one({"_id": rule_id})
        if not deleted.deleted_count:
            raise RuleNotFound(rule_id)
        await self._cancel(rule_id)

    async def _cancel(self, rule_id: str) -> None:
        """Cancels what is pending of a rule that is disabled or deleted, as far as it can be done in time.

        What is claimed ends by its receiver's answer. What is to be attempted again after that, what another
        transaction records meanwhile, and what is left over is cancelled by whoever claims it: see `DeliveryAttempt`.
        """
        try:
            with deadline(seconds_left() / 2):  # the rule is stored, and the caller shall hear of it
                pending = self._executions.find({"rule_id": rule_id, "state": _PENDING}, {"_id": 1})
                while ids := [row["_id"] for row in await pending.to_list(MAX_CANCELLED)]:
                    cancel = partial(self._cancel_some, rule_id, ids)
                    if not await mongo.transact(self._database, cancel, seconds=CANCEL_SECONDS):
                        return
        except PyMongoError as error:
            _LOG.warning("not all cancelled", rule=rule_id, error=logs.one_line(error))

    async def _cancel_some(self, rule_id: str, ids: Sequence[str]) -> bool:
        """Cancels what waits in some executions, in a transaction; tells whether the rule is still not enabled.

        Without this look it would cancel what is recorded, or made due again, once the rule is enabled.
        """
        if await self._rules.find_one({"_id": rule_id, "enabled": True}, {"_id": 1}):
            return False
        cancelled = {"state": ExecutionState.CANCELLED.value, "due_time": NEVER}
        waits = {"$and": [{"$eq": ["$$this.state", _PENDING]}, {"$eq": ["$$this.lease", ""]}]}
        each = {"$cond": [waits, {"$mergeObjects": ["$$this", cancelled]}, "$$this"]}
        await self._executions.update_many(
            {"_id": {"$in": ids}, "state": _PENDING},
            [{"$set": {"deliveries": {"$map": {"input": "$deliveries", "in": each}}}}, _DERIVE_STATE],
        )
        return True


class MongoExecutions:
    """`Executions` over MongoDB; the unique index `once` stands behind the promise that a key has one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._executions = database[EXECUTIONS]

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys under which an execution is recorded."""
        if not keys:
            return set()
        fields = dict.fromkeys(Key._fields, 1) | {"_id": 0}
        rows = self._executions.find({"lead_id": {"$in": list({key.lead_id for key in keys})}, **_bounds(keys)}, fields)
        return {Key(**row) async for row in rows} & set(keys)

    async def last_firings(self, pairs: Collection[tuple[str, str]]) -> Firings:
        """Returns when rules last fired for leads; see `Executions`."""
        asked = [{"lead_id": lead_id, "rule_id": rule_id} for lead_id, rule_id in pairs]
        found: dict[tuple[str, str], Firing] = {}
        for start in range(0, len(asked), MAX_PAIRS):
            some = {"$documents": {"$literal": asked[start : start + MAX_PAIRS]}}
            async for row in await self._database.aggregate([some, _LAST_FIRING]):
                for firing in row["firings"]:
                    found[row["lead_id"], row["rule_id"]] = Firing(**firing)
        return found

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores executions whose keys are free; see `Executions`."""
        if executions:
            await self._executions.insert_many([documents.write_execution(each) for each in executions])

    async def get(self, execution_id: str) -> Execution:
        """Returns an execution; see `Executions`."""
        row = await self._executions.find_one({"_id": execution_id})
        if row is None:
            raise ExecutionNotFound(execution_id)
        return documents.read_execution(row)

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns executions, latest first."""
        asked = {"lead_id": query.lead_id, "rule_id": query.rule_id, "date_bucket": query.date_bucket}
        matching: Document = {field: value for field, value in asked.items() if value}
        if query.state:
            matching["state"] = query.state.value
        bounds = {"$gte": query.from_time, "$lt": query.until_time}
        if bounds := {bound: time for bound, time in bounds.items() if time}:
            matching["record_time"] = bounds
        if query.after:
            time, execution_id = query.after
            matching["$or"] = [{"record_time": {"$lt": time}}, {"record_time": time, "_id": {"$lt": execution_id}}]
        rows = self._executions.find(matching).sort(_LATEST).limit(query.limit)
        return [documents.read_execution(row) async for row in rows]

    async def revive(self, before: Execution, after: Execution) -> bool:
        """Stores the deliveries of `after` if those of `before` are still stored; see `Executions`."""
        stored, revived = documents.write_execution(before), documents.write_execution(after)
        update = {"$set": {"deliveries": revived["deliveries"], "state": revived["state"]}}
        which = {"_id": stored["_id"], "deliveries": stored["deliveries"]}
        updated = await mongo.durable(self._executions).update_one(which, update)
        return updated.matched_count == 1


class MongoDeliveries:
    """`Deliveries` over the same collection: each execution holds its own."""

    def __init__(self, database: Database) -> None:
        self._executions = mongo.durable(database[EXECUTIONS])
        # What others claim shows at once. What a failover may take back shows, too, but only what a majority has can be
        # claimed: else it could leave, be recorded anew, and leave again with another body.
        self._latest = self._executions.with_options(read_concern=ReadConcern("local"))

    async def due(self, now: datetime, busy: Collection[str], limit: int) -> list[Due]:
        """Returns deliveries that are due; see `Deliveries`.

        The index skips what is due at a busy endpoint, and what waits for its next attempt, however much it is.
        """
        asked = {"endpoint": ANY_TEXT | {"$nin": list(busy)}, "due_time": {"$lte": now}}
        fields = {f"deliveries.{name}": 1 for name in ("delivery_id", "endpoint", "due_time")}
        rows = self._latest.find({"state": _PENDING, "deliveries": {"$elemMatch": asked}}, fields).hint(DUE_INDEX)
        return [
            Due(each["delivery_id"], each["endpoint"])
            async for row in rows.limit(limit)
            for each in row["deliveries"]
            if each["due_time"] <= now and each["endpoint"] not in busy
        ]

    async def claim(self, due: Collection[Due], now: datetime, until: datetime) -> list[Claim]:
        """Claims those that are still due; see `Deliveries`."""
        ids, lease = [each.delivery_id for each in due], secrets.token_hex(8)
        which: Document = {"_id": {"$in": list({_execution_id(each) for each in ids})}}
        await self._executions.update_many(
            which | {"state": _PENDING},
            {"$set": {"deliveries.$[due].due_time": until, "deliveries.$[due].lease": lease}},
            array_filters=[{"due.delivery_id": {"$in": ids}, "due.due_time": {"$lte": now}}],
        )
        fields: Document = {"_id": 0, "rule_id": 1, "deliveries": 1}
        return [
            Claim(row["rule_id"], documents.read_delivery(each))
            async for row in self._latest.find(which | {"deliveries.lease": lease}, fields)
            for each in row["deliveries"]
            if each["lease"] == lease
        ]

    async def repair_due_times(self, now: datetime, farthest: datetime) -> None:
        """Makes due what lies too far ahead; see `Deliveries`.

        The index leaves out what waits for its next attempt, however much it is.
        """
        ahead = {"endpoint": ANY_TEXT, "due_time": {"$gt": farthest, "$lt": NEVER}}
        far: list[Document] = [ahead | {"lease": {"$gt": ""}}, ahead | {"tries": 0}]
        await self._executions.update_many(
            {"state": _PENDING, "$or": [{"deliveries": {"$elemMatch": each}} for each in far]},
            {"$set": {"deliveries.$[far].due_time": now}},
            array_filters=[{"$or": [{f"far.{name}": asked for name, asked in each.items()} for each in far]}],
            hint=DUE_INDEX,
        )

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        """Stores what became of claimed deliveries; see `Deliveries`."""
        await self._executions.bulk_write([_settling(*each) for each in settlements], ordered=False)
        return [None] * len(settlements)


def _settling(claim: Claim, delivery: Delivery) -> UpdateOne:
    held = {"$elemMatch": {"delivery_id": delivery.delivery_id, "lease": claim.delivery.lease}}
    is_it = {"$eq": ["$$this.delivery_id", delivery.delivery_id]}
    each = {"$cond": [is_it, {"$literal": documents.write_delivery(delivery)}, "$$this"]}
    return UpdateOne(
        {"_id": _execution_id(delivery.delivery_id), "deliveries": held},
        [{"$set": {"deliveries": {"$map": {"input": "$deliveries", "in": each}}}}, _DERIVE_STATE],
    )


_LAST_FIRING: Document = {
    "$lookup": {
        "from": EXECUTIONS,
        "let": {"lead_id": "$lead_id", "rule_id": "$rule_id"},
        "pipeline": [
            {"$match": {"$expr": {"$and": [{"$eq": [f"${name}", f"$${name}"]} for name in ("lead_id", "rule_id")]}}},
            {"$sort": {"date_bucket": DESCENDING}},
            {"$limit": 1},
            {"$project": {"_id": 0, "date_bucket": 1, "last_event_time": 1}},
        ],
        "as": "firings",
    }
}
"""Joins to a lead and a rule their last firing, found by the index `once`, as a list of one, or of none."""


def _derived_state() -> Any:  # noqa: ANN401 (an expression of the database)
    """Returns `state_of` as the database computes it."""
    order = (ExecutionState.PENDING, ExecutionState.FAILED, ExecutionState.CANCELLED)
    expression: Any = ExecutionState.DELIVERED.value
    for state in reversed(order):
        expression = {"$cond": [{"$in": [state.value, "$deliveries.state"]}, state.value, expression]}
    return expression


_DERIVE_STATE: Document = {"$set": {"state": _derived_state()}}


def _bounds(keys: Collection[Key]) -> Document:
    return {
        "rule_id": {"$in": list({key.rule_id for key in keys})},
        "date_bucket": {"$in": list({key.date_bucket for key in keys})},
    }


def _execution_id(delivery_id: str) -> str:
    return delivery_id.partition("-")[0]


def _ids(changes: Sequence[Change]) -> list[Document]:
    return [{"_id": change.change_id} for change in changes]
