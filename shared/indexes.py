"""Creation and startup check of MongoDB indexes."""

from collections.abc import Mapping, Sequence

from pymongo import IndexModel

from shared.mongo import Database
from shared.settings import StartupError


async def create_indexes(database: Database, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
    """Creates missing collections and indexes.

    Only `migrate` calls it, because an index build aborts running transactions.
    """
    existing = set(await database.list_collection_names())
    for name, models in indexes.items():
        if name not in existing:
            await database.create_collection(name)
        if models:
            await database[name].create_indexes(list(models))


async def check_indexes(database: Database, indexes: Mapping[str, Sequence[IndexModel]], *, service: str) -> None:
    """Checks at startup that every index of a service exists, by name.

    Raises:
        StartupError: An index is missing; the text says which service to migrate.
    """
    for collection, models in indexes.items():
        existing = await database[collection].index_information()
        for name in (model.document["name"] for model in models):
            if name not in existing:
                raise StartupError(
                    f"the database has no index {name} of {collection}: run migrate of the {service} service"
                )
