"""The ids of leads and events in the audit log, which says in a few words what each call was about.

Guarantee: erasing them again changes nothing. Of a record, only the words about a lead or its events change.
"""

from collections.abc import Collection, Sequence

from pymongo import UpdateOne

from shared.access.audit import COLLECTION, MAX_CHARACTERS
from shared.mongo import Database, Document, durable

BATCH = 500
"""Events that one command names."""


class AuditTraces:
    """Erases ids in the audit log."""

    def __init__(self, database: Database) -> None:
        self._records = durable(database[COLLECTION])

    async def erase_lead(self, lead_id: str, pseudonym: str) -> None:
        """Replaces the id of a lead."""
        await self._replace([f"lead {lead_id}"], f"lead {pseudonym}")
        suffix = f" and lead {lead_id}"
        async for record in self._records.find(_beginning("executions "), {"object": 1}):
            if record["object"].endswith(suffix):
                about = record["object"].removesuffix(suffix) + f" and lead {pseudonym}"
                await self._records.update_one({"_id": record["_id"]}, {"$set": {"object": about}})

    async def erase_events(self, event_ids: Sequence[str], pseudonym: str) -> None:
        """Replaces the ids of events of a lead, also in lists of events."""
        for start in range(0, len(event_ids), BATCH):
            some = event_ids[start : start + BATCH]
            await self._replace([f"event {each}"[:MAX_CHARACTERS] for each in some], f"event of lead {pseudonym}")
        erased = set(event_ids)
        lists = self._records.find(_beginning("events "), {"object": 1}) if erased else None
        changed = [] if lists is None else [(row, _without(row["object"], erased)) async for row in lists]
        updates = [
            UpdateOne({"_id": row["_id"]}, {"$set": {"object": about}})
            for row, about in changed
            if about != row["object"]
        ]
        if updates:
            await self._records.bulk_write(updates, ordered=False)

    async def _replace(self, objects: Collection[str], about: str) -> None:
        await self._records.update_many({"object": {"$in": list(objects)}}, {"$set": {"object": about}})


def lead_in(about: str) -> str | None:
    """Returns the id of the lead that a record is about, or None."""
    if about.startswith("lead "):
        return about.removeprefix("lead ")
    _, found, lead_id = about.partition(" and lead ")
    return lead_id if found and about.startswith("executions ") else None


def _beginning(prefix: str) -> Document:
    return {"object": {"$gte": prefix, "$lt": prefix[:-1] + "!"}}  # in ASCII, ! follows the space


def _without(about: str, erased: Collection[str]) -> str:
    """Returns a list of events without those that were erased; the last id of a long list may have been cut."""
    ids = about.removeprefix("events ").split(", ")
    kept = ["(erased)" if each in erased else each for each in ids]
    if len(about) == MAX_CHARACTERS and any(each.startswith(ids[-1]) for each in erased):
        kept[-1] = "(erased)"
    return f"events {', '.join(kept)}"
