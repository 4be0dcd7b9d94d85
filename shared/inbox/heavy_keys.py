"""Which keys have the most pending rows, and how many: for inboxes whose rows have a key.

Guarantee: reads index keys only.
"""

from pymongo import ASCENDING, DESCENDING

from shared.inbox.collection import Inbox
from shared.inbox.schema import PENDING
from shared.mongo import Document


async def heaviest_keys(inbox: Inbox, partition: int, sample: int, limit: int) -> list[str]:
    """Returns the `limit` most frequent keys among the oldest `sample` pending rows of a partition."""
    return await _heaviest(inbox, partition, sample, limit, ASCENDING)


async def heaviest_new_keys(inbox: Inbox, partition: int, sample: int, limit: int) -> list[str]:
    """Returns the `limit` most frequent keys among the newest `sample` pending rows of a partition."""
    return await _heaviest(inbox, partition, sample, limit, DESCENDING)


async def count_of_key(inbox: Inbox, key: str, limit: int) -> int:
    """Returns the number of pending rows of a key; stops counting at `limit`."""
    # It reads all pending index keys of a partition. An index for this query would slow down every insert.
    condition: Document = {"state": PENDING, "partition": inbox.partition_of(key), "lead_id": key}
    return await inbox.rows.count_documents(condition, limit=limit, hint="pending")


async def _heaviest(inbox: Inbox, partition: int, sample: int, limit: int, order: int) -> list[str]:
    stages: list[Document] = [
        {"$match": {"state": PENDING, "partition": partition}},
        {"$sort": {"accept_time": order}},
        {"$limit": sample},
        {"$group": {"_id": "$lead_id", "rows": {"$sum": 1}}},
        {"$sort": {"rows": DESCENDING, "_id": ASCENDING}},
        {"$limit": limit},
    ]
    return [row["_id"] async for row in await inbox.rows.aggregate(stages, hint="pending")]
