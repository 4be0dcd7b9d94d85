"""The states and indexes of the rows of an inbox."""

from pymongo import ASCENDING, IndexModel

from shared.mongo import Document

PENDING = "pending"
APART: Document = {"attempts": {"$exists": True}}
"""Matches every row that has been tried alone, whatever its state."""
INDEXES = [
    # The key comes last, so that rows of excluded keys are skipped without being read.
    IndexModel(
        [("state", ASCENDING), ("partition", ASCENDING), ("accept_time", ASCENDING), ("lead_id", ASCENDING)],
        name="pending",
        partialFilterExpression={"state": PENDING},
    ),
    IndexModel(
        [("state", ASCENDING), ("park_time", ASCENDING), ("_id", ASCENDING)],
        name="isolated",
        partialFilterExpression=APART,
    ),
]
EXPIRY = IndexModel([("expire_time", ASCENDING)], name="expiry", expireAfterSeconds=0, sparse=True)
"""Makes MongoDB delete rows at their `expire_time`; pending, parked and discarded rows have none."""
