"""Interfaces that the use cases depend on; tests implement them in memory."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol, TypeAlias

from ingest_service.domain.erasure import EventErased
from ingest_service.domain.errors import EventIdConflict
from ingest_service.domain.event import Event


class PutResult(Enum):
    """What storing an event resulted in."""

    NEW = "new"
    """The event has been stored."""
    DUPLICATE = "duplicate"
    """The same event was stored before."""


PutOutcome: TypeAlias = PutResult | EventIdConflict | EventErased
"""The result for one event; an error if the id belongs to another event or one that was erased: nothing was changed."""


class EventStore(Protocol):
    """Stores events by id."""

    async def put(self, events: Sequence[Event]) -> list[PutOutcome]:
        """Durably stores the events whose id is new. Returns one result per event, in order.

        Of two events with one id, the second is a duplicate if the client declares it to be the same event: if lead,
        type, source, properties and the event time as it was sent are equal.
        """

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition that holds the events of a lead."""


class Doorbell(Protocol):
    """Notifies the scoring service of new events."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions. Never blocks and never fails."""
