"""Reads documents up to a number and a total size, so that large ones cannot exhaust the memory of a process."""

from collections.abc import Callable, Iterator
from typing import Any

import bson
from pymongo.asynchronous.cursor import AsyncRawBatchCursor

from shared.mongo import Collection, Document


class BoundedRows(list[Document]):
    """Documents that were read. `is_full` means that a limit was reached, so there may be more."""

    is_full = False


def find_raw(collection: Collection, condition: Document, fields: Document | None = None) -> AsyncRawBatchCursor[Any]:
    """Finds documents as batches of raw BSON, in which the size of a document is known before it is decoded."""
    return collection.find_raw_batches(condition, fields)


async def read_bounded(
    collection: Collection,
    found: AsyncRawBatchCursor[Any],
    limit: int,
    max_bytes: int | None,
    count_of: Callable[[Document], int] = lambda _: 1,
) -> BoundedRows:
    """Returns the first documents of a cursor of `find_raw`, decoded as those of the collection.

    It stops after the document that reaches `limit`, counting each one as `count_of` says, and before a document with
    which their total BSON size exceeds `max_bytes`; the first one is always returned.
    """
    rows, count, size = BoundedRows(), 0, 0
    async with found.limit(limit) as cursor:
        async for batch in cursor:
            for raw in _documents_in(batch):
                size += len(raw)
                if rows and max_bytes is not None and size > max_bytes:
                    rows.is_full = True
                    return rows
                rows.append(bson.decode(raw, collection.codec_options))
                count += count_of(rows[-1])
                if count >= limit:
                    rows.is_full = True
                    return rows
    return rows


def _documents_in(batch: bytes) -> Iterator[bytes]:
    """Yields the documents of a batch; each begins with its length."""
    start = 0
    while start < len(batch):
        end = start + int.from_bytes(batch[start : start + 4], "little")
        yield batch[start:end]
        start = end
