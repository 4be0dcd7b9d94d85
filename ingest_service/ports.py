"""What the use cases need of the world."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from ingest_service.domain.event import Event


class Stored(Enum):
    """What a store found when it was given an event."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"


class EventStore(Protocol):
    """Keeps events by their id."""

    async def put(self, events: Sequence[Event]) -> list[Stored]:
        """Stores the events whose id is new, durably.

        Returns for each, in order: it is NEW, it was there already (SAME), or its id stands for an OTHER event.
        """

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition that the events of a lead wait in."""


class Waiting(Protocol):
    """What waits to be scored."""

    async def oldest(self) -> Mapping[int, datetime]:
        """Returns, per partition in which events wait, when the oldest was accepted."""

    async def count(self, partition: int | None, limit: int) -> int:
        """Returns how many events wait, in one partition or in all, counting no further than `limit`."""

    async def heaviest(self, partition: int, sample: int, limit: int) -> Mapping[str, tuple[int, datetime]]:
        """Returns the leads with the most events among the oldest and the newest `sample` events of a partition.

        For each: how many of its events wait, counting no further than `limit`, and when the oldest was accepted, of
        those that did not fail alone.
        """

    async def oldest_of_others(self, partition: int, lead_ids: Collection[str]) -> datetime | None:
        """Returns when the oldest event of a partition was accepted; None when there is none.

        Those of some leads do not count, nor those that failed alone.
        """


class Bell(Protocol):
    """Lets scoring know that there is work."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions; never waits, never fails."""
