"""The audit log, which every server inserts into; here it is only read."""

from admin_service.domain.audit import AuditQuery, AuditRecord
from admin_service.store.schema import LATEST_FIRST
from shared.access.audit import COLLECTION
from shared.mongo import Database, Document
from shared.rpc.pagination import Cursor


class MongoAuditLog:
    """Reads audit records."""

    def __init__(self, database: Database) -> None:
        self._records = database[COLLECTION]

    async def page(self, query: AuditQuery, after: Cursor, limit: int) -> list[AuditRecord]:
        """Returns a page of records, newest first."""
        rows = self._records.find(_filter(query, after)).sort(LATEST_FIRST).limit(limit)
        return [_read(row) async for row in rows]


def _filter(query: AuditQuery, after: Cursor) -> Document:
    texts = {"actor": query.actor, "object": query.object, "method": query.method}
    which: list[Document] = [{field: text} for field, text in texts.items() if text]
    for bound, time in (("$gte", query.from_time), ("$lt", query.until_time)):
        which += [{"at": {bound: time}}] if time else []
    if after:
        at, record_id = after
        which.append({"$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": record_id}}]})
    return {"$and": which} if which else {}


def _read(row: Document) -> AuditRecord:
    texts = {field: row.get(field, "") for field in ("actor", "key_id", "address", "service", "method", "object")}
    return AuditRecord(record_id=row["_id"], call_time=row["at"], outcome=row.get("outcome", ""), **texts)
