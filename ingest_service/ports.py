"""What the use cases need of the world."""

from collections.abc import Iterable, Sequence
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


class Bell(Protocol):
    """Lets scoring know that there is work."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions; never waits, never fails."""
