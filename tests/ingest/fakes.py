"""In-memory implementations of the ports, and example events."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ingest_service.domain.errors import EventIdConflict
from ingest_service.domain.event import Event
from ingest_service.ports import PutOutcome, PutResult
from shared.contracts.events import TRANSPORT_PROPERTIES
from tests.conftest import PARTITIONS

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_000, UTC)
EVENT = Event(
    event_id="e1",
    lead_id="ada",
    event_type="page_view",
    event_time=NOW,
    properties={"page": "/pricing", "seconds": 12.5},
    source="website",
)


def event(event_id: str = "e1", **fields: Any) -> Event:
    """Returns a valid event with some of its fields replaced."""
    return EVENT._replace(event_id=event_id, **fields)


class FakeEventStore:
    """An `EventStore` in memory. `puts` has the batches it was given, `faults` the errors of the next puts."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.puts: list[list[Event]] = []
        self.faults: list[Exception] = []

    async def put(self, events: Sequence[Event]) -> list[PutOutcome]:
        """Stores the events whose id is new."""
        self.puts.append(list(events))
        if self.faults:
            raise self.faults.pop(0)
        return [self._put(each) for each in events]

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition of a lead: the length of its id, which tests can predict."""
        return len(lead_id) % PARTITIONS

    def _put(self, event: Event) -> PutOutcome:
        if event.event_id not in self.events:
            self.events[event.event_id] = event
            return PutResult.NEW
        asked, found = _declared(event), _declared(self.events[event.event_id])
        differing = [field for field in asked if asked[field] != found[field]]
        return EventIdConflict(event.event_id, differing) if differing else PutResult.DUPLICATE


class HeldEventStore(FakeEventStore):
    """A store whose puts wait until `go` is set. `begun` is set when a put starts."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def put(self, events: Sequence[Event]) -> list[PutOutcome]:
        """Stores the events once `go` is set."""
        self.begun.set()
        await self.go.wait()
        return await super().put(events)


class FakeDoorbell:
    """Records the partitions that it was rung for."""

    def __init__(self) -> None:
        self.rings: list[int] = []

    def ring(self, partitions: Iterable[int]) -> None:
        """Records the partitions."""
        self.rings.extend(partitions)


def nothing_refused(lead_id: str) -> None:
    """Accepts every event."""


def _declared(event: Event) -> dict[str, str]:
    properties = {name: value for name, value in event.properties.items() if name not in TRANSPORT_PROPERTIES}
    return {
        "lead_id": event.lead_id,
        "event_type": event.event_type,
        "event_time": str(event.original_time or event.event_time),
        "properties": json.dumps(properties, sort_keys=True),  # as JSON, because in Python 1.0 == True
        "source": event.source,
    }
