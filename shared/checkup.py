"""What is wrong with a database in the eyes of a service, found without changing anything.

Guarantee: all problems are reported at once, each by a sentence that says what to do.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from shared import mongo
from shared.inbox.collection import Inbox
from shared.inbox.contract import InboxContract
from shared.indexes import Indexes, compare_indexes
from shared.mongo import Database
from shared.settings import StartupError

Check: TypeAlias = Callable[[Database], Awaitable[None]]
"""Raises a StartupError for what is wrong; several lines are several problems."""
PAUSE_SECONDS = 2.0
"""Pause between two attempts while a database is not there yet, or not yet migrated."""


def of_inbox(contract: InboxContract, partitions: int) -> Check:
    """Returns the check that the database has an inbox with this number of partitions."""
    return lambda database: Inbox(database, contract, partitions=partitions).check()


def of_indexes(indexes: Indexes, service: str) -> Check:
    """Returns the check that the database has the indexes of a service, as the program declares them."""
    return lambda database: compare_indexes(database, indexes, service=service)


def of_partitions(collection: str, count: int, service: str) -> Check:
    """Returns the check that a collection has a row for each partition."""

    async def check(database: Database) -> None:
        found = await database[collection].count_documents({})
        if found != count:
            raise StartupError(
                f"{collection} has {found} of {count} partitions: run migrate of the {service} service, with the "
                "LEADSCORE_PARTITIONS that the database was created with"
            )

    return check


async def examine(uri: str, checks: Sequence[Check], *, wait: float) -> None:
    """Runs every check on the database that a URI names; repeats them for up to `wait` seconds if one fails.

    Raises:
        StartupError: Checks have failed; a line for each problem.
    """
    ends = time.monotonic() + wait
    while True:
        found = await _problems(uri, checks)
        if not found:
            return
        if time.monotonic() + PAUSE_SECONDS > ends:
            several = [f"{len(found)} problems:"] if len(found) > 1 else []
            raise StartupError("\n  ".join([*several, *found]))
        await asyncio.sleep(PAUSE_SECONDS)


async def _problems(uri: str, checks: Sequence[Check]) -> list[str]:
    found: dict[str, None] = {}
    try:
        database = await mongo.connect(uri)
    except StartupError as error:
        return str(error).splitlines()
    async with contextlib.aclosing(database.client):
        for check in checks:
            try:
                await check(database)
            except StartupError as error:
                found |= dict.fromkeys(str(error).splitlines())
    return list(found)
