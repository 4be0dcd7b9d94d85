"""The collection of rules."""

from collections.abc import Collection

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from automation_service.domain.rule import Rule, RuleExists, RuleNotFound
from automation_service.store import documents
from automation_service.store.cancellation import cancel_deliveries
from automation_service.store.schema import RULES
from shared import mongo
from shared.mongo import Database
from shared.rpc.pagination import Cursor
from shared.secrets import SecretKeys


class MongoRules:
    """Implements `Rules` on MongoDB. The `_id` of a row is the rule's id.

    Secrets are encrypted when a rule is written, and still are when it is read.
    """

    def __init__(self, database: Database, keys: SecretKeys) -> None:
        self._database = database
        self._rules = database[RULES]
        self._keys = keys

    async def create(self, rule: Rule) -> None:
        """Stores a new rule; see `Rules`."""
        try:
            await mongo.durable(self._rules).insert_one(documents.write_rule(rule, self._keys))
        except DuplicateKeyError:
            raise RuleExists(rule.draft.rule_id) from None

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule; see `Rules`."""
        row = await self._rules.find_one({"_id": rule_id})
        if row is None:
            raise RuleNotFound(rule_id)
        return documents.read_rule(row)

    async def page(self, after: Cursor, limit: int) -> list[Rule]:
        """Returns a page of rules, ordered by id."""
        rows = self._rules.find({"_id": {"$gt": after[0]}} if after else {}).sort("_id", ASCENDING).limit(limit)
        return [documents.read_rule(row) async for row in rows]

    async def enabled(self, rule_ids: Collection[str] | None = None) -> list[Rule]:
        """Returns the enabled rules; see `Rules`."""
        matching = {"enabled": True} | ({} if rule_ids is None else {"_id": {"$in": list(rule_ids)}})
        return [documents.read_rule(row) async for row in self._rules.find(matching)]

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Replaces a rule if it still has this revision; see `Rules`."""
        row = documents.write_rule(rule, self._keys)
        replaced = await mongo.durable(self._rules).replace_one({"_id": row["_id"], "revision": revision}, row)
        if replaced.matched_count and not rule.draft.enabled:
            await cancel_deliveries(self._database, row["_id"])
        return replaced.matched_count == 1

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule; see `Rules`."""
        deleted = await mongo.durable(self._rules).delete_one({"_id": rule_id})
        if not deleted.deleted_count:
            raise RuleNotFound(rule_id)
        await cancel_deliveries(self._database, rule_id)
