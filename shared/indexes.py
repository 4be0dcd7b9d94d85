"""Creation and startup check of MongoDB indexes."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pymongo import IndexModel

from shared.mongo import Database
from shared.settings import StartupError

Indexes: TypeAlias = Mapping[str, Sequence[IndexModel]]
"""The indexes of collections, by the names of these."""
_OPTIONS = ("unique", "sparse", "partialFilterExpression", "expireAfterSeconds")


async def create_indexes(database: Database, indexes: Indexes) -> None:
    """Creates missing collections and indexes.

    Only `migrate` calls it, because an index build aborts running transactions.
    """
    existing = set(await database.list_collection_names())
    for name, models in indexes.items():
        if name not in existing:
            await database.create_collection(name)
        if models:
            await database[name].create_indexes(list(models))


async def compare_indexes(database: Database, indexes: Indexes, *, service: str) -> None:
    """Checks that every index of a service exists, with the fields and options that this program expects.

    Further indexes are left to whoever made them.

    Raises:
        StartupError: An index is missing or differs; a line for each.
    """
    found = []
    for collection, models in indexes.items():
        existing = await database[collection].index_information()
        for model in models:
            name = model.document["name"]
            if name not in existing:
                found.append(f"the database has no index {name} of {collection}: run migrate of the {service} service")
            elif _essence(existing[name]) != _essence(model.document):
                advice = f"drop it, then run migrate of the {service} service"
                found.append(f"the index {name} of {collection} is not what this program expects: {advice}")
    if found:
        raise StartupError("\n".join(found))


def _essence(index: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Returns the fields of an index and its options, as the server or as the program describes it."""
    fields = index["key"].items() if isinstance(index["key"], Mapping) else index["key"]
    return [*fields], {name: index[name] for name in _OPTIONS if index.get(name) not in (None, False)}


async def check_indexes(database: Database, indexes: Indexes, *, service: str) -> None:
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
