"""Cancels pending deliveries: of a rule that was disabled or deleted, and of a hold."""

from collections.abc import Sequence
from functools import partial

from pymongo.errors import PyMongoError

from automation_service.domain.delivery import NEVER, ExecutionState
from automation_service.store.documents import DERIVE_STATE
from automation_service.store.schema import EXECUTIONS, PENDING, RULES
from shared import logs, mongo
from shared.deadlines import deadline, seconds_left
from shared.mongo import Database, Document

MAX_CANCELLED = 500
"""Executions whose deliveries are cancelled in one transaction."""
CANCEL_SECONDS = 5.0
"""Longest time for one such transaction, in seconds."""
LEASE, DUE_TIME = "$$this.lease", "$$this.due_time"

_LOG = logs.get(__name__)


def cancelling(is_free: Document) -> list[Document]:
    """Returns an update of executions that cancels those of their pending deliveries that no attempt has claimed.

    `is_free` is an expression for the latter, about `LEASE` and `DUE_TIME`.
    """
    cancelled = {"state": ExecutionState.CANCELLED.value, "due_time": NEVER, "lease": ""}
    is_waiting = {"$and": [{"$eq": ["$$this.state", PENDING]}, is_free]}
    delivery = {"$cond": [is_waiting, {"$mergeObjects": ["$$this", cancelled]}, "$$this"]}
    return [{"$set": {"deliveries": {"$map": {"input": "$deliveries", "in": delivery}}}}, DERIVE_STATE]


async def cancel_deliveries(database: Database, rule_id: str) -> None:
    """Cancels the pending deliveries of a rule, as many as fit into half of the time that the call has left.

    A claimed delivery is left to its attempt. Deliveries that are missed here (they are retried after that attempt, are
    recorded by a concurrent transaction, or did not fit into the time) are cancelled by `DeliveryAttempt` when it
    claims them.
    """
    try:
        with deadline(seconds_left() / 2):  # the rule is already stored; leave time to return that to the caller
            which = {"rule_id": rule_id, "state": PENDING}
            pending = database[EXECUTIONS].find(which, {"_id": 1}, batch_size=MAX_CANCELLED)
            while ids := [row["_id"] for row in await pending.to_list(MAX_CANCELLED)]:
                cancel = partial(_cancel_batch, database, rule_id, ids)
                if not await mongo.transact(database, cancel, seconds=CANCEL_SECONDS):
                    return
    except PyMongoError as error:
        _LOG.warning("not all deliveries cancelled", rule=rule_id, error=logs.one_line(error))


async def _cancel_batch(database: Database, rule_id: str, ids: Sequence[str]) -> bool:
    """Cancels the pending deliveries of some executions, in a transaction; returns False if the rule is enabled again.

    Without this check it would cancel deliveries that were recorded or retried after the rule was enabled again.
    """
    if await database[RULES].find_one({"_id": rule_id, "enabled": True}, {"_id": 1}):
        return False
    await database[EXECUTIONS].update_many({"_id": {"$in": ids}, "state": PENDING}, cancelling({"$eq": [LEASE, ""]}))
    return True
