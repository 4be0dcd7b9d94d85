"""The states and indexes of the rows of an inbox."""

from pymongo import ASCENDING, IndexModel

from shared.inbox.contract import InboxContract
from shared.mongo import Document

PENDING = "pending"
APART: Document = {"attempts": {"$exists": True}}
"""Matches every row that has been tried alone, whatever its state."""
_ISOLATED = IndexModel(
    [("state", ASCENDING), ("park_time", ASCENDING), ("_id", ASCENDING)],
    name="isolated",
    partialFilterExpression=APART,
)
_EXPIRY = IndexModel([("expire_time", ASCENDING)], name="expiry", expireAfterSeconds=0, sparse=True)
"""Makes MongoDB delete rows at their `expire_time`; pending, parked and discarded rows have none."""


def indexes(contract: InboxContract) -> list[IndexModel]:
    """Returns the indexes of an inbox.

    The last field of `pending` lets queries skip rows of excluded keys, or count items, without reading a row.
    """
    last = "count" if contract.items else "lead_id"
    pending = IndexModel(
        [(field, ASCENDING) for field in ("state", "partition", "accept_time", last)],
        name="pending",
        partialFilterExpression={"state": PENDING},
    )
    return [pending, _ISOLATED, *([_EXPIRY] if contract.expires else [])]
