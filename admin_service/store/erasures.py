"""The collections of erasures and of erased events."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from bson import Binary
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from admin_service.domain.erasure import Counts, Erasure
from shared.contracts.erasures import ERASED_EVENTS, ERASURES, KEY_BYTES, KEY_ROW, Digests, ErasureState
from shared.mongo import Database, Document, durable

INDEXES = {
    ERASURES: [
        IndexModel([("change_time", ASCENDING)], name="by_change"),
        IndexModel([("lead", ASCENDING)], name="by_lead"),
        IndexModel([("at", ASCENDING), ("_id", ASCENDING)], name="in_order"),
    ],
    ERASED_EVENTS: [],
}
_DUPLICATE_KEY = 11000


class MongoErasures:
    """Stores erasures. The `_id` of a row is the digest of its request id."""

    def __init__(self, database: Database) -> None:
        self._erasures = durable(database[ERASURES])
        self._events = durable(database[ERASED_EVENTS])

    async def get(self, request: bytes) -> Erasure | None:
        """Returns the erasure of a request, or None."""
        row = await self._erasures.find_one({"_id": Binary(request)})
        return _read(row) if row else None

    async def insert(self, erasure: Erasure, now: datetime) -> bool:
        """Stores an erasure, which is not done yet; returns False if its request has one already."""
        try:
            await self._erasures.insert_one(_write(erasure, now))
        except DuplicateKeyError:
            return False
        return True

    async def add(self, request: bytes, pseudonym: str | None, counts: Counts) -> Erasure:
        """Adds a pseudonym, if there is one, and counts to an erasure, which exists, and returns it."""
        update: Document = {"$inc": asdict(counts)}
        if pseudonym:
            update["$addToSet"] = {"pseudonyms": pseudonym}
        row = await self._erasures.find_one_and_update({"_id": Binary(request)}, update, return_document=True)
        assert row is not None  # noqa: S101 (erasures are never removed)
        return _read(row)

    async def finish(self, request: bytes, now: datetime) -> None:
        """Records that an erasure is done."""
        done = {"state": ErasureState.DONE.value, "change_time": now}
        await self._erasures.update_one({"_id": Binary(request)}, {"$set": done})

    async def unfinished(self, before: datetime) -> list[Erasure]:
        """Returns the erasures that were stored before a time and are not done."""
        rows = self._erasures.find({"state": ErasureState.ERASING.value, "change_time": {"$lt": before}})
        return [_read(row) async for row in rows]

    async def page(self, after: Sequence[object], limit: int) -> list[Erasure]:
        """Returns a page of erasures, oldest first; `after` has the time and the request of the last one before it."""
        which: Document = {}
        if after:
            time, request = after
            which["$or"] = [{"at": {"$gt": time}}, {"at": time, "_id": {"$gt": request}}]
        rows = self._erasures.find(which).sort([("at", ASCENDING), ("_id", ASCENDING)]).limit(limit)
        return [_read(row) async for row in rows]

    async def keep_events(self, digests: Iterable[bytes]) -> None:
        """Records that events were erased; those that are recorded already stay."""
        rows = [{"_id": Binary(each)} for each in digests]
        if not rows:
            return
        try:
            await self._events.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            errors: Sequence[Document] = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(each["code"] != _DUPLICATE_KEY for each in errors):
                raise


async def digests(database: Database) -> Digests:
    """Returns the digests of a database, for which `migrate` has made a key."""
    row = await database["deployment"].find_one(KEY_ROW)
    assert row is not None  # noqa: S101 (`check` has found it)
    return Digests(bytes(row["key"]))


async def make_key(database: Database) -> None:
    """Makes the key of the digests, unless there is one."""
    new = {"$setOnInsert": {"key": Binary(secrets.token_bytes(KEY_BYTES))}}
    await durable(database["deployment"]).update_one(KEY_ROW, new, upsert=True)


def _write(erasure: Erasure, now: datetime) -> Document:
    return {
        "_id": Binary(erasure.request),
        "lead": Binary(erasure.lead),
        "pseudonyms": list(erasure.pseudonyms),
        "at": erasure.time,
        "change_time": now,
        "actor": erasure.actor,
        "state": ErasureState.ERASING.value,
        **asdict(erasure.counts),
    }


def _read(row: Document) -> Erasure:
    counts = Counts(row["entries"], row["events"], row["executions"])
    is_done = row["state"] == ErasureState.DONE.value
    pseudonyms = tuple(row["pseudonyms"])
    return Erasure(bytes(row["_id"]), bytes(row["lead"]), pseudonyms, row["at"], row["actor"], is_done, counts)
