"""Finds the ids of all leads of whom anything is stored."""

from collections.abc import AsyncIterator

from admin_service.store.audit_traces import lead_in
from shared.mongo import Database, Document

PAGE_ROWS = 1_000
"""Rows that are read at a time. Without a batch size the driver would hold 16 MiB of them, and several times that much
once they are decoded."""


async def known_leads(database: Database) -> AsyncIterator[str]:
    """Yields the ids of all leads, some of them several times; reads indexes, and all changes."""
    async for row in database["leads"].find({}, {"_id": 1}, hint="_id_", batch_size=PAGE_ROWS):
        yield row["_id"]
    by_lead: list[Document] = [{"$group": {"_id": "$lead_id"}}]
    for collection, hint in (("score_history", "by_position"), ("automation_executions", "once")):
        async for row in await database[collection].aggregate(by_lead, hint=hint, batchSize=PAGE_ROWS):
            yield row["_id"]
    by_object: list[Document] = [{"$group": {"_id": "$object"}}]
    audited = await database["audit_log"].aggregate(by_object, hint="latest_of_object", batchSize=PAGE_ROWS)
    async for row in audited:
        if lead_id := lead_in(row["_id"]):
            yield lead_id
    unscored: list[Document] = [{"state": "pending"}, {"state": {"$ne": "scored"}, "attempts": {"$exists": True}}]
    for which, hint in zip(unscored, ("pending", "isolated"), strict=True):
        async for row in database["events"].find(which, {"lead_id": 1}, hint=hint, batch_size=PAGE_ROWS):
            yield row["lead_id"]
    async for row in database["score_changes"].find({}, {"changes.lead_id": 1}):
        for change in row["changes"]:
            yield change["lead_id"]
