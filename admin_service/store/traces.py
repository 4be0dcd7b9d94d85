"""What is stored of a lead besides its history: events that are not scored, changes, executions, and records of calls.

Guarantee: erasing them again changes nothing, so an erasure that was interrupted is simply repeated.
"""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from bson import ObjectId

from admin_service.domain import erased_rows
from admin_service.domain.pseudonyms import NewIds
from shared.mongo import Database, Document, durable, transact
from shared.partitions import BY_ID, Partitions

BATCH = 500
"""Rows that one transaction or one command names."""
TRANSACTION_SECONDS = 9.0
"""Longest time for one transaction."""
SLACK = timedelta(minutes=2)
"""How far the time in the id of a row of changes may be from the record time of its entries."""
MAX_SPANS = 200
"""Spans of time that one query about changes names."""
_SCORED = "scored"
T = TypeVar("T")


class Traces:
    """Erases what is stored of leads besides their histories."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database = database
        self._partitions = partitions
        self._events = durable(database["events"])
        self._changes = durable(database["score_changes"])

    async def unscored(self, lead_id: str) -> list[str]:
        """Returns the ids of the events of a lead that are pending, parked or discarded."""
        either = [
            ({"state": "pending", **self._partitions.lead(lead_id)}, "pending"),
            ({"attempts": {"$exists": True}, "state": {"$ne": _SCORED}, **self._partitions.lead(lead_id)}, "isolated"),
        ]
        found = [row["_id"] for which, hint in either async for row in self._events.find(which, {"_id": 1}, hint=hint)]
        return list(dict.fromkeys(found))

    async def remove_unscored(self, lead_id: str, event_ids: Sequence[str]) -> int:
        """Removes those of the events that are still not scored; returns how many."""
        removed = 0
        for ids in _batches(event_ids):
            which = {"_id": {"$in": ids}, **self._partitions.lead(lead_id), "state": {"$ne": _SCORED}}
            removed += (await self._events.delete_many(which, hint=BY_ID)).deleted_count
        return removed

    async def has_executions(self, lead_id: str) -> bool:
        """Returns whether a lead has an execution."""
        which = self._partitions.lead(lead_id)
        return await self._database["automation_executions"].find_one(which, {"_id": 1}, hint="once") is not None

    async def release_ids(self, event_ids: Sequence[str]) -> None:
        """Removes the ids of events from the collection that makes them unique in a sharded database."""
        for ids in _batches(event_ids):
            await durable(self._database["event_ids"]).delete_many({"_id": {"$in": ids}})

    async def record_times(self, lead_ids: Collection[str]) -> frozenset[datetime]:
        """Returns the record times of the entries of some leads."""
        which = self._partitions.each_lead(lead_ids)
        rows = self._database["score_history"].find(which, {"_id": 0, "record_time": 1}, hint="by_sequence")
        return frozenset([row["record_time"] async for row in rows])

    async def erase_changes(self, lead_id: str, pseudonym: str, times: Collection[datetime]) -> None:
        """Erases the changes of a lead, of whose entries `times` are the record times.

        A change stays in its row, because the positions of all others are in the tokens of watchers. It has no
        transition any more, so no automation fires for it.
        """
        erased = {"changes.$[own].lead_id": pseudonym, "changes.$[own].transitions": []}
        update = {"$set": erased, "$unset": {"reason": "", "discard_reason": ""}}
        for which in self._rows_of_changes(lead_id, times):
            await self._changes.update_many(which, update, array_filters=[{"own.lead_id": lead_id}])

    async def changes(self, lead_id: str) -> AsyncIterator[Document]:
        """Yields the changes of a lead, each with the id and the times of its row."""
        for which in self._rows_of_changes(lead_id, await self.record_times([lead_id])):
            async for row in self._changes.find(which):
                for change in row.pop("changes"):
                    if change["lead_id"] == lead_id:
                        yield row | change

    async def erase_executions(self, lead_id: str, ids: NewIds) -> int:
        """Erases the executions of a lead, and cancels their deliveries; returns how many."""
        erase = partial(self._erase_executions, lead_id, ids)
        total = 0
        while count := await transact(self._database, erase, seconds=TRANSACTION_SECONDS):
            total += count
        return total

    async def erase_search(self, lead_id: str) -> None:
        """Lets the search for inactive leads begin again if it has come to a lead."""
        searches = durable(self._database["automation_searches"])
        async for row in searches.find({"token": {"$ne": ""}}, {"token": 1}):
            if _lead_in(row["token"]) == lead_id:
                # The search begins again with its first page; rules have fired for those leads already.
                await searches.update_one(row, {"$set": {"token": ""}})

    def _rows_of_changes(self, lead_id: str, times: Collection[datetime]) -> Iterator[Document]:
        of_lead = {**self._partitions.pin([lead_id]), "changes.lead_id": lead_id}
        for some in _batches(_spans(sorted(times))):
            yield {"$or": [{"_id": {"$gte": first, "$lt": end}} for first, end in some], **of_lead}

    async def _erase_executions(self, lead_id: str, ids: NewIds) -> int:
        """Replaces some executions; runs in a transaction, so that a worker's claim or result is not lost."""
        executions = self._database["automation_executions"]
        rows = await executions.find(self._partitions.lead(lead_id), hint="once").limit(BATCH).to_list()
        if rows:
            old = {"_id": {"$in": [row["_id"] for row in rows]}, **self._partitions.pin([lead_id])}
            await executions.delete_many(old, hint=BY_ID)
            await executions.insert_many([erased_rows.execution(row, ids) for row in rows], ordered=False)
        return len(rows)


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def _spans(times: Sequence[datetime]) -> list[tuple[str, str]]:
    """Returns the spans of ids that rows of changes can have which were written at about these times."""
    spans: list[tuple[datetime, datetime]] = []
    for time in times:
        if spans and time - SLACK <= spans[-1][1]:
            spans[-1] = spans[-1][0], time + SLACK
        else:
            spans.append((time - SLACK, time + SLACK))
    if len(spans) > MAX_SPANS:
        spans = [(spans[0][0], spans[-1][1])]
    return [(str(ObjectId.from_datetime(first)), str(ObjectId.from_datetime(end))) for first, end in spans]


def _lead_in(token: str) -> str | None:
    """Returns the lead in the page token of the search for inactive leads."""
    try:
        return str(json.loads(base64.urlsafe_b64decode(token))[-1])
    except (binascii.Error, ValueError, TypeError, IndexError, KeyError):
        return None
