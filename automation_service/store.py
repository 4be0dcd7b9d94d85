"""MongoDB ⇄ domain: `automation_rules`, `automation_executions`, and the consumer's side of `score_changes`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from automation_service.domain.execution import Change, Execution, Insight, Key
from automation_service.domain.rule import Conditions, Draft, Risk, Rule, RuleExists, RuleNotFound
from automation_service.ports import ExecutionQuery
from shared import mongo
from shared.inbox import Inbox
from shared.mongo import Database, Document
from shared.pages import Place

CHANGES, DONE = "score_changes", "done"
RULES, EXECUTIONS = "automation_rules", "automation_executions"
RECORDED = "recorded"

_LATEST = [("record_time", DESCENDING), ("_id", DESCENDING)]
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    RULES: [],
    EXECUTIONS: [
        IndexModel(
            [("lead_id", ASCENDING), ("rule_id", ASCENDING), ("date_bucket", ASCENDING)], name="once", unique=True
        ),
        IndexModel(_LATEST, name="latest"),
        IndexModel([("rule_id", ASCENDING), *_LATEST], name="latest_of_rule"),
        IndexModel([("date_bucket", ASCENDING), *_LATEST], name="latest_of_date"),
    ],
}
T = TypeVar("T")


class MongoChanges:
    """`Changes` over the inbox."""

    def __init__(self, database: Database, inbox: Inbox, *, transaction_seconds: float) -> None:
        self._database = database
        self._inbox = inbox
        self._seconds = transaction_seconds

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction; see `Changes`."""
        return await mongo.transact(self._database, body, seconds=self._seconds)

    async def pending(self, partitions: Sequence[int], most: int) -> list[Change]:
        """Returns the oldest changes that wait in some partitions, each lead's in the order of their sequence."""
        rows = await self._inbox.pending(partitions, most)
        return sorted(map(_read_change, rows), key=lambda change: (change.lead_id, change.sequence))

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns those of the changes that nobody has marked since they were read."""
        ids = {row["_id"] for row in await self._inbox.still_pending(_ids(changes))}
        return [change for change in changes if change.change_id in ids]

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks changes as done."""
        await self._inbox.mark(_ids(changes))


class MongoRules:
    """`Rules` over MongoDB; a rule's `_id` is its id."""

    def __init__(self, database: Database) -> None:
        self._rules = database[RULES]

    async def create(self, rule: Rule) -> None:
        """Stores a new rule; see `Rules`."""
        try:
            await self._rules.insert_one(_write_rule(rule))
        except DuplicateKeyError:
            raise RuleExists(rule.draft.rule_id) from None

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule; see `Rules`."""
        row = await self._rules.find_one({"_id": rule_id})
        if row is None:
            raise RuleNotFound(rule_id)
        return _read_rule(row)

    async def page(self, after: Place, most: int) -> list[Rule]:
        """Returns the rules whose ids follow a place, by id."""
        cursor = self._rules.find({"_id": {"$gt": after[0]}} if after else {}).sort("_id", ASCENDING).limit(most)
        return [_read_rule(row) async for row in cursor]

    async def enabled(self) -> list[Rule]:
        """Returns all enabled rules."""
        return [_read_rule(row) async for row in self._rules.find({"enabled": True})]

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Stores a rule in the place of the one with its id and this revision; tells whether there was one."""
        row = _write_rule(rule)
        replaced = await self._rules.replace_one({"_id": row["_id"], "revision": revision}, row)
        return replaced.matched_count == 1

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule; see `Rules`."""
        if not (await self._rules.delete_one({"_id": rule_id})).deleted_count:
            raise RuleNotFound(rule_id)


class MongoExecutions:
    """`Executions` over MongoDB; the unique index `once` stands behind the promise that a key has one."""

    def __init__(self, database: Database) -> None:
        self._executions = database[EXECUTIONS]

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys under which an execution is recorded."""
        if not keys:
            return set()
        fields = dict.fromkeys(Key._fields, 1) | {"_id": 0}
        rows = self._executions.find({"lead_id": {"$in": list({key.lead_id for key in keys})}, **_bounds(keys)}, fields)
        return {Key(**row) async for row in rows} & set(keys)

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores executions whose keys are free; see `Executions`."""
        if executions:
            await self._executions.insert_many([_write_execution(each) for each in executions])

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns executions, latest first."""
        asked = {"lead_id": query.lead_id, "rule_id": query.rule_id, "date_bucket": query.date_bucket}
        matching: Document = {field: value for field, value in asked.items() if value}
        if query.after:
            time, execution_id = query.after
            matching["$or"] = [{"record_time": {"$lt": time}}, {"record_time": time, "_id": {"$lt": execution_id}}]
        return [_read_execution(row) async for row in self._executions.find(matching).sort(_LATEST).limit(query.most)]


def _bounds(keys: Collection[Key]) -> Document:
    return {
        "rule_id": {"$in": list({key.rule_id for key in keys})},
        "date_bucket": {"$in": list({key.date_bucket for key in keys})},
    }


def _ids(changes: Sequence[Change]) -> list[Document]:
    return [{"_id": change.change_id} for change in changes]


def _read_change(row: Document) -> Change:
    return Change(
        change_id=row["_id"],
        lead_id=row["lead_id"],
        sequence=row["sequence"],
        score_before=row["score_before"],
        score_after=row["score_after"],
        stage_before=row["stage_before"],
        stage_after=row["stage_after"],
        event_types=tuple(row["event_types"]),
        date_bucket=row["date_bucket"],
    )


def _write_rule(rule: Rule) -> Document:
    draft = rule.draft
    return {
        "_id": draft.rule_id,
        "display_name": draft.display_name,
        "enabled": draft.enabled,
        "conditions": asdict(draft.conditions),
        "revision": rule.revision,
        "create_time": rule.create_time,
        "update_time": rule.update_time,
    }


def _read_rule(row: Document) -> Rule:
    asked = row["conditions"]
    conditions = Conditions(
        tuple(asked["stages"]),
        asked["minimum_score"],
        asked["minimum_velocity"],
        None if asked["risk"] is None else Risk(asked["risk"]),
    )
    draft = Draft(row["_id"], row["display_name"], row["enabled"], conditions)
    return Rule(draft, row["revision"], row["create_time"], row["update_time"])


def _write_execution(execution: Execution) -> Document:
    return {
        "_id": execution.execution_id,
        **execution.key._asdict(),
        "state": RECORDED,
        "change_sequence": execution.change_sequence,
        "score": execution.score,
        "stage_before": execution.stage_before,
        "stage_after": execution.stage_after,
        **asdict(execution.insight),
        "record_time": execution.record_time,
    }


def _read_execution(row: Document) -> Execution:
    return Execution(
        key=Key(row["lead_id"], row["rule_id"], row["date_bucket"]),
        change_sequence=row["change_sequence"],
        score=row["score"],
        stage_before=row["stage_before"],
        stage_after=row["stage_after"],
        insight=Insight(row["velocity"], Risk(row["risk"]), row["next_action"]),
        record_time=row["record_time"],
    )
