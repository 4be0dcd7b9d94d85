"""Interfaces that the use cases depend on; tests implement them in memory."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol

from ingest_service.domain.event import Event


class PutResult(Enum):
    """What storing an event resulted in."""

    NEW = "new"
    """The event has been stored."""
    DUPLICATE = "duplicate"
    """The same event was stored before."""
    CONFLICT = "conflict"
    """The id belongs to an event with a different payload; nothing was changed."""


class EventStore(Protocol):
    """Stores events by id."""

    async def put(self, events: Sequence[Event]) -> list[PutResult]:
        """Durably stores the events whose id is new. Returns one result per event, in order."""

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition that holds the events of a lead."""


class Doorbell(Protocol):
    """Notifies the scoring service of new events."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions. Never blocks and never fails."""
