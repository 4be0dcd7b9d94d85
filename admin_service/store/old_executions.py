"""Old executions whose deliveries still have their bodies, and the removal of these bodies."""

from collections.abc import AsyncIterator
from datetime import datetime

from shared.mongo import Database, Document, durable
from shared.partitions import BY_ID, among

PAGE_EXECUTIONS = 500
"""Executions that one command changes."""
_PENDING = "pending"
_EMPTY = {
    "deliveries.$[].body": b"",
    "deliveries.$[].recipients": [],
    "deliveries.$[].attempts.$[].answer": "",
    "deliveries.$[].attempts.$[].error": "",
}


class OldExecutions:
    """Removes what old executions have sent, to whom, and what the receivers answered."""

    def __init__(self, database: Database) -> None:
        self._executions = durable(database["automation_executions"])

    async def remove_bodies(self, before: datetime) -> AsyncIterator[int]:
        """Removes the bodies of executions from before a time, and yields how many executions each command changed.

        Executions with pending deliveries keep theirs.
        """
        which: Document = {
            "record_time": {"$lt": before},
            "state": {"$ne": _PENDING},
            "deliveries.body": {"$gt": b""},
        }
        rows = self._executions.find(which, {"partition": 1}, hint="latest", batch_size=PAGE_EXECUTIONS)
        while page := await rows.to_list(PAGE_EXECUTIONS):
            these = {"_id": {"$in": [row["_id"] for row in page]}, **among(row["partition"] for row in page)}
            not_pending = {**these, "state": {"$ne": _PENDING}}
            yield (await self._executions.update_many(not_pending, {"$set": _EMPTY}, hint=BY_ID)).modified_count
