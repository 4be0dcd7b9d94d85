"""Everything that is stored of a lead, as JSON documents."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from bson import json_util

from admin_service.store.traces import Traces
from shared.mongo import Collection, Database, Document
from shared.partitions import BY_ID, Partitions

BATCH = 500
"""Events that are read together."""
_JSON = json_util.RELAXED_JSON_OPTIONS


class StoredDocument(NamedTuple):
    """A document of a collection, as extended JSON (relaxed). Of a row of changes, it is the one of the lead."""

    collection: str
    json: str


class LeadExport:
    """Reads what is stored of leads."""

    def __init__(self, database: Database, partitions: Partitions, traces: Traces) -> None:
        self._database = database
        self._partitions = partitions
        self._traces = traces

    async def documents(self, lead_id: str) -> AsyncIterator[StoredDocument]:
        """Yields every document about a lead, except copies: checkpoints, and ids that are in other documents."""
        of_lead = self._partitions.lead(lead_id)
        row = {"_id": lead_id, "partition": self._partitions.of(lead_id)}
        async for found in _all(self._database["leads"], row):
            yield found
        scored: list[str] = []
        async for entry in self._database["score_history"].find(of_lead, hint="by_sequence").sort("sequence"):
            yield _document("score_history", entry)
            if entry["kind"] == "EVENT":
                scored.append(entry["_id"])
        event_ids = scored + await self._traces.unscored(lead_id)
        for start in range(0, len(event_ids), BATCH):
            which = {"_id": {"$in": event_ids[start : start + BATCH]}, **self._partitions.pin([lead_id])}
            async for found in _all(self._database["events"], which, hint=BY_ID):
                yield found
        async for change in self._traces.changes(lead_id):
            yield _document("score_changes", change)
        async for found in _all(self._database["automation_executions"], of_lead, hint="once"):
            yield found
        async for found in _all(self._database["audit_log"], {"object": f"lead {lead_id}"}):
            yield found


async def _all(collection: Collection, which: Document, *, hint: str | None = None) -> AsyncIterator[StoredDocument]:
    async for row in collection.find(which, hint=hint):
        yield _document(collection.name, row)


def _document(collection: str, row: Document) -> StoredDocument:
    return StoredDocument(collection, json_util.dumps(row, json_options=_JSON))
