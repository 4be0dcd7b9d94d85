"""Bundles: rows that hold several items, because MongoDB writes and marks a row of 500 items as fast as one of a few.

Guarantee: a bundle is one row to whoever inserts, reads and marks it, until an item of it fails. `divide` then replaces
it by a row for each item, in one transaction, without decoding the items, so an item that cannot be read does not
affect the others.

A bundle has its items in the field that the contract names, and their number in `count`. A row that `divide` made has
`divided` set; whoever watches inserts has seen its item before.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

import bson
from bson import ObjectId
from bson.raw_bson import RawBSONDocument

from shared.inbox.contract import InboxContract
from shared.inbox.schema import PENDING
from shared.mongo import Collection, Document, transact
from shared.partitions import BY_ID

MAX_ITEMS = 500
"""The maximum number of items in a row."""
MAX_BYTES = 1024 * 1024
"""The maximum size of the items in a row, together; a larger item has a row of its own."""
DIVIDE_SECONDS = 5.0
"""Longest time for dividing a row."""


def pending_bundles(
    contract: InboxContract, partition: int, items: Iterable[Document], accept_time: datetime
) -> Iterator[Document]:
    """Yields the fields of pending rows that hold the items of one partition, in order."""
    for group in _cut(items):
        yield {
            "_id": str(ObjectId()),  # ids that grow make inserts cheap
            "partition": partition,
            "state": PENDING,
            "accept_time": accept_time,
            "count": len(group),
            contract.items: group,
        }


def count_of(row: Document) -> int:
    """Returns the number of items in a row, as far as it says so."""
    count = row.get("count")
    return count if isinstance(count, int) and count > 1 else 1


async def divide(rows: Collection, field: str, row_id: str, partition: int) -> list[str]:
    """Replaces a pending row by one row for each item in `field`, and returns their ids.

    Returns no ids, and changes nothing, if the row is no longer pending or has no more than one item.
    """
    return await transact(rows.database, partial(_divide, rows, field, row_id, partition), seconds=DIVIDE_SECONDS)


async def _divide(rows: Collection, field: str, row_id: str, partition: int) -> list[str]:
    raw = rows.with_options(codec_options=rows.codec_options.with_options(document_class=RawBSONDocument))
    row = await raw.find_one({"_id": row_id, "partition": partition, "state": PENDING}, hint=BY_ID)
    items = row.get(field) if row else None
    if row is None or not isinstance(items, list) or len(items) < 2:
        return []
    parts: list[Document] = [
        {**row, "_id": f"{row_id}.{index:03}", "count": 1, "divided": True, field: [item]}
        for index, item in enumerate(items)
    ]
    await rows.insert_many(parts, ordered=False)
    await rows.delete_one({"_id": row_id, "partition": partition}, hint=BY_ID)
    return [part["_id"] for part in parts]


def _cut(items: Iterable[Document]) -> Iterator[list[RawBSONDocument]]:
    group: list[RawBSONDocument] = []
    size = 0
    for item in items:
        encoded = bson.encode(item)
        size += len(encoded)
        if group and (len(group) == MAX_ITEMS or size > MAX_BYTES):
            yield group
            group, size = [], len(encoded)
        group.append(RawBSONDocument(encoded))
    if group:
        yield group
