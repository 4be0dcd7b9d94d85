"""Reads all entries and all accepted events, page by page, for exports."""

from typing import Any

from pymongo import ASCENDING

from scoring_service.domain.entry_query import EntryQuery, LeadEntry, TimeRange
from scoring_service.store import documents
from shared.bounded_reads import find_raw, read_bounded
from shared.contracts import events
from shared.mongo import Database, Document, snapshot
from shared.partitions import BY_ID, Partitions, among
from shared.rpc.pagination import Cursor

PAGE_BYTES = 4 * 1024 * 1024
"""Total BSON size of the documents on a page. One event with its properties can have 64 KiB."""

_ORDER = ("partition", "lead_id", "sequence")


class ExportReader:
    """Reads what is exported; every page is a read of its own, in the order of an index that never changes."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database = database
        self._partitions = partitions
        self._entries = database["score_history"]
        self._events = database[events.CONTRACT.collection]

    async def entries(self, query: EntryQuery, *, after: Cursor, limit: int) -> tuple[list[LeadEntry], bool]:
        """Returns one page of entries, ordered by partition, lead and sequence, and whether there may be more.

        A page has at most `limit` entries, and at most `PAGE_BYTES`. `after` is the lead and the sequence of the last
        entry on the previous page.
        """
        cursor = find_raw(self._entries, _matching(query)).sort([(field, ASCENDING) for field in _ORDER])
        cursor = cursor.hint("by_sequence")
        if after:
            last = self._partitions.of(str(after[0])), *after
            # A bound of the index, which includes the entry itself. MongoDB answers a condition with $or more slowly.
            bound: list[tuple[str, Any]] = list(zip(_ORDER, last, strict=True))
            cursor = cursor.min(bound).skip(1)
        rows = await read_bounded(self._entries, cursor, limit, PAGE_BYTES)
        return [LeadEntry(row["lead_id"], documents.read_entry(row)) for row in rows], rows.is_full

    async def events(self, times: TimeRange, *, after: Cursor, limit: int) -> tuple[list[Document], bool]:
        """Returns one page of rows of the inbox `events`, ordered by id, and whether there may be more.

        A page has at most `limit` rows, and at most `PAGE_BYTES`. `after` is the id of the last event on the previous
        page. The rows of scored events have the properties that the history keeps.
        """
        which = _within(times)
        if after:
            which["_id"] = {"$gt": after[0]}
        # Without a snapshot, two members could answer the two queries, and an event be marked but lack its entry.
        async with snapshot(self._database):
            cursor = find_raw(self._events, which).sort("_id", ASCENDING).hint(BY_ID)
            rows = await read_bounded(self._events, cursor, limit, PAGE_BYTES)
            return await self._with_properties(rows), rows.is_full

    async def _with_properties(self, rows: list[Document]) -> list[Document]:
        scored = [row for row in rows if row["state"] == events.CONTRACT.done]
        which = {"_id": {"$in": [row["_id"] for row in scored]}, **among(row["partition"] for row in scored)}
        entries = self._entries.find(which, {"properties": 1}).hint(BY_ID)
        found = {row["_id"]: row.get("properties", {}) async for row in entries} if scored else {}
        return [{**row, "properties": found.get(row["_id"], row.get("properties", {}))} for row in rows]


def _matching(query: EntryQuery) -> Document:
    condition = _within(query.times)
    if query.kinds:
        condition["kind"] = {"$in": [kind.value for kind in query.kinds]}
    return condition


def _within(times: TimeRange) -> Document:
    bounds = {"$gte": times.start, "$lt": times.end}
    given = {operator: time for operator, time in bounds.items() if time is not None}
    return {"event_time": given} if given else {}
