"""Reads the entries of all leads, page by page, for exports."""

from typing import Any

from pymongo import ASCENDING

from scoring_service.domain.entry_query import EntryQuery, LeadEntry
from scoring_service.store import documents
from shared.bounded_reads import find_raw, read_bounded
from shared.mongo import Database, Document
from shared.partitions import Partitions
from shared.rpc.pagination import Cursor

PAGE_BYTES = 4 * 1024 * 1024
"""Total BSON size of the documents on a page. One event with its properties can have 64 KiB."""

_ORDER = ("partition", "lead_id", "sequence")


class ExportReader:
    """Reads what is exported; every page is a read of its own, in the order of an index that never changes."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._partitions = partitions
        self._entries = database["score_history"]

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


def _matching(query: EntryQuery) -> Document:
    condition: Document = {}
    if query.kinds:
        condition["kind"] = {"$in": [kind.value for kind in query.kinds]}
    if query.from_time is not None:
        condition["event_time"] = {"$gte": query.from_time}
    if query.until_time is not None:
        condition.setdefault("event_time", {})["$lt"] = query.until_time
    return condition
