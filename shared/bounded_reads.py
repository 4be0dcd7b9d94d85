"""Reads documents up to a number and a total size, so that large ones cannot exhaust the memory of a process."""

from collections.abc import Callable

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
    collection: Collection,
    found: AsyncCursor[RawBSONDocument],
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
        async for row in cursor:
            size += len(row.raw)
            if rows and max_bytes is not None and size > max_bytes:
                rows.is_full = True
                break
            rows.append(bson.decode(row.raw, collection.codec_options))
            count += count_of(rows[-1])
            if count >= limit:
                rows.is_full = True
                break
    return rows
