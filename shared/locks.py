"""Rows that transactions write only to conflict with each other.

Guarantee: of two concurrent transactions that take the same lock, one commits first, and the other runs again from the
start. A transaction that has taken a lock reads what the last one to take it has written.
"""

from collections.abc import Iterable

from pymongo import UpdateOne

from shared import mongo
from shared.mongo import Collection, Document


async def create_locks(rows: Collection, locks: Iterable[Document], **fields: object) -> None:
    """Creates the locks that do not exist, with additional fields if the rows also hold data.

    A lock is given by its `_id` and, if that is not a partition, by its `partition`.
    """
    new = {"$setOnInsert": {"transactions": 0, **fields}}
    await mongo.durable(rows).bulk_write([UpdateOne(each, new, upsert=True) for each in locks])


async def take_locks(rows: Collection, ids: Iterable[int] | Iterable[str], which: Document | None = None) -> int:
    """Takes locks for the current transaction, only those that match `which` if given; returns how many."""
    taken = await rows.update_many({"_id": {"$in": sorted(ids)}, **(which or {})}, {"$inc": {"transactions": 1}})
    return taken.matched_count
