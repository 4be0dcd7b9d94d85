"""The collections and indexes that this service owns."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.access.audit import COLLECTION as AUDIT_LOG
from shared.access.keys import COLLECTION as KEYS
from shared.indexes import check_indexes, create_indexes
from shared.mongo import Database

LATEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    KEYS: [
        IndexModel([("created_at", DESCENDING), ("_id", DESCENDING)], name="latest"),
        IndexModel(
            [("request_id", ASCENDING)],
            name="by_request",
            unique=True,
            partialFilterExpression={"request_id": {"$exists": True}},
        ),
    ],
    AUDIT_LOG: [
        IndexModel(LATEST_FIRST, name="latest"),
        *(
            IndexModel([(field, ASCENDING), *LATEST_FIRST], name=f"latest_of_{field}")
            for field in ("actor", "object", "method")
        ),
    ],
}


async def migrate(database: Database) -> None:
    """Creates the collections and indexes; safe to run again."""
    await create_indexes(database, INDEXES)


async def check(database: Database) -> None:
    """Checks at startup that the database has been migrated for this service.

    Raises:
        StartupError: An index is missing.
    """
    await check_indexes(database, INDEXES, service="admin")
