"""The version of a service's part of the database, and the steps that lead to it.

Guarantee: `migrate` only goes forward, in steps that are safe while programs of the version before still run. A program
that a step has left behind refuses to start, and so does one that is ahead of the database.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared import logs
from shared.mongo import Database, durable
from shared.settings import StartupError

FIRST = 1
"""The version of a new database before any step."""

_LOG = logs.get(__name__)


class Step(NamedTuple):
    """What changes the stored data from one version to the next.

    `run` must be safe to repeat, to run on an empty database, and to run while programs of the version `oldest` and
    later read and write the data. Add and fill first. A later step removes what nobody reads any more, and leaves the
    programs behind that do.
    """

    version: int
    summary: str
    oldest: int
    run: Callable[[Database], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schema:
    """The steps of one service, in the order of their versions."""

    service: str
    steps: Sequence[Step] = ()

    @property
    def version(self) -> int:
        """The version that this program reads and writes."""
        return self.steps[-1].version if self.steps else FIRST

    async def migrate(self, database: Database) -> None:
        """Takes the steps that are missing, and records each.

        Raises:
            StartupError: The database is ahead of this program.
        """
        deployment = durable(database["deployment"])
        first = {"version": FIRST, "oldest": FIRST}
        await deployment.update_one({"_id": self._id}, {"$setOnInsert": first}, upsert=True)
        reached = await self._reached(database)
        for step in self.steps:
            if step.version > reached:
                _LOG.info("migration step", service=self.service, version=step.version, summary=step.summary)
                await step.run(database)
                # Another migrate may be further.
                record = {"$max": {"version": step.version, "oldest": step.oldest}}
                await deployment.update_one({"_id": self._id}, record)

    async def check(self, database: Database) -> None:
        """Checks at startup that this program and the database fit.

        Raises:
            StartupError: The database is ahead of this program, or has not been migrated for it.
        """
        reached = await self._reached(database)
        if reached < self.version:
            raise StartupError(
                f"the database has version {reached} of the {self.service} schema, this program needs {self.version}: "
                f"run migrate of the {self.service} service"
            )

    @property
    def _id(self) -> str:
        return f"{self.service}_schema"

    async def _reached(self, database: Database) -> int:
        row = await database["deployment"].find_one({"_id": self._id})
        if row is None:
            raise StartupError(f"the database has not been set up: run migrate of the {self.service} service")
        if row["oldest"] > self.version:
            raise StartupError(
                f"the database has version {row['version']} of the {self.service} schema, this program is of version "
                f"{self.version}, and {row['oldest']} is the oldest that still works: install a newer leadscore"
            )
        return int(row["version"])
