"""Reads that may be stale, such as lists, counts and exports: a setting sends them to the secondaries of MongoDB.

Guarantee: a database of `replica` returns only what a majority has committed, which no failover can roll back, but not
all of it yet. Nothing that is written or decided may depend on what it returns.

A service reads from it inside a snapshot, or with one query. Two queries outside of a snapshot may ask two members, the
second of which may be behind the first.
"""

from typing import Literal

from pydantic import Field
from pymongo.read_preferences import Nearest, Primary, SecondaryPreferred

from shared.mongo import Database
from shared.settings import MongoSettings


class StaleReadSettings(MongoSettings):
    """Settings of services that have reads that may be stale."""

    stale_reads: Literal["primary", "secondaryPreferred", "nearest"] = Field(
        "primary",
        description="Members of the replica set that lists, counts, exports and simulations read from; all other reads "
        "go to the primary.",
    )
    max_staleness_seconds: int = Field(
        120,
        ge=90,  # the least that MongoDB's drivers accept
        le=86_400,
        description="By how many seconds a secondary may be behind to be read from, about.",
    )

    def replica(self, database: Database) -> Database:
        """Returns the database for reads that may be stale."""
        seconds = self.max_staleness_seconds
        preferences = {
            "secondaryPreferred": SecondaryPreferred(max_staleness=seconds),
            "nearest": Nearest(max_staleness=seconds),
        }
        return database.with_options(read_preference=preferences.get(self.stale_reads, Primary()))
