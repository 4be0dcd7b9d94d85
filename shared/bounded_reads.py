"""Reads documents up to a number and a total size, so that large ones cannot exhaust the memory of a process."""

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.cursor import AsyncCursor

from shared.mongo import Collection, Document


class BoundedRows(list[Document]):
    """Documents that were read. `is_full` means that a limit was reached, so there may be more."""

    is_full = False


def find_raw(
    collection: Collection, condition: Document, fields: Document | None = None
) -> AsyncCursor[RawBSONDocument]:
    """Finds documents as raw BSON, whose size is known before they are decoded."""
    options = collection.codec_options.with_options(document_class=RawBSONDocument)
    return collection.with_options(codec_options=options).find(condition, fields)


async def read_bounded(
    collection: Collection, found: AsyncCursor[RawBSONDocument], limit: int, max_bytes: int | None
) -> BoundedRows:
    """Returns the first documents of a cursor of `find_raw`, decoded as those of the collection.

    It stops after `limit` documents, and before a document with which their total BSON size exceeds `max_bytes`; the
    first one is always returned.
    """
    rows, size = BoundedRows(), 0
    async with found.limit(limit) as cursor:
        async for row in cursor:
            size += len(row.raw)
            if rows and max_bytes is not None and size > max_bytes:
                rows.is_full = True
                return rows
            rows.append(bson.decode(row.raw, collection.codec_options))
    rows.is_full = len(rows) == limit
    return rows
