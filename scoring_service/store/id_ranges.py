"""Ranges of the ids in a collection."""

from pymongo import ASCENDING

from scoring_service.domain.lead_query import IdRange
from shared.mongo import Collection, Document


def within(ids: IdRange) -> Document:
    """Returns the condition that ids are in a range."""
    return {"$gt": ids.after} if ids.end is None else {"$gt": ids.after, "$lte": ids.end}


async def end_of_range(rows: Collection, after: str, limit: int) -> str | None:
    """Returns the id at which a range ends that holds `limit` rows after an id; None if fewer are left."""
    found = rows.find({"_id": {"$gt": after}}, {"_id": 1}).sort("_id", ASCENDING).skip(limit - 1).limit(1)
    return next((row["_id"] for row in await found.to_list()), None)
