"""The collections and indexes that this service owns."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel

from admin_service.store import erasures
from shared.access.audit import COLLECTION as AUDIT_LOG
from shared.access.keys import COLLECTION as KEYS
from shared.contracts.erasures import KEY_ROW
from shared.indexes import check_indexes, create_indexes
from shared.mongo import Database
from shared.partitions import Partitions
from shared.schema_versions import Schema
from shared.settings import StartupError

LATEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]

SCHEMA = Schema("admin")
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    **erasures.INDEXES,
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


async def partitions(database: Database) -> Partitions:
    """Returns the partitions of the database.

    Raises:
        StartupError: The service that owns events has not been migrated.
    """
    row = await database["inboxes"].find_one({"_id": "events"})
    if row is None:
        raise StartupError("the database has no inbox 'events': run migrate of every service first")
    return Partitions(row["partitions"], row.get("shards", 1))


async def migrate(database: Database) -> None:
    """Creates the collections and indexes, and the key of the digests of erasures; safe to run again."""
    await SCHEMA.migrate(database)
    await create_indexes(database, INDEXES)
    await erasures.make_key(database)


async def check(database: Database) -> None:
    """Checks at startup that the database has been migrated for this service.

    Raises:
        StartupError: The version differs, or an index or the key of the digests is missing.
    """
    await SCHEMA.check(database)
    await check_indexes(database, INDEXES, service="admin")
    if await database["deployment"].find_one(KEY_ROW) is None:
        raise StartupError("the database has no key for erasures: run migrate of the admin service")
