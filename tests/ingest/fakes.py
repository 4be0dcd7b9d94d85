"""What the use cases see of the world, in memory."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ingest_service.domain.event import Event
from ingest_service.ports import Stored
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
    """Returns a sound event, with some of its fields replaced."""
    return replace(EVENT, event_id=event_id, **fields)


class FakeEventStore:
    """`EventStore` in memory; `puts` are the batches that it was given, `faults` what the next ones fail with."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.puts: list[list[Event]] = []
        self.faults: list[Exception] = []

    async def put(self, events: Sequence[Event]) -> list[Stored]:
        """Stores the events whose id is new."""
        self.puts.append(list(events))
        if self.faults:
            raise self.faults.pop(0)
        return [self._put(each) for each in events]

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition of a lead: the length of its id, so that tests know it."""
        return len(lead_id) % PARTITIONS

    def _put(self, event: Event) -> Stored:
        if event.event_id not in self.events:
            self.events[event.event_id] = event
            return Stored.NEW
        return Stored.SAME if _written(self.events[event.event_id]) == _written(event) else Stored.OTHER


class HeldEventStore(FakeEventStore):
    """A store whose puts do not end before `go` is set; `begun` is set when one has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def put(self, events: Sequence[Event]) -> list[Stored]:
        """Waits to be let go, then stores."""
        self.begun.set()
        await self.go.wait()
        return await super().put(events)


class FakeBell:
    """Remembers the partitions that it was rung for."""

    def __init__(self) -> None:
        self.rung: list[int] = []

    def ring(self, partitions: Iterable[int]) -> None:
        """Remembers."""
        self.rung.extend(partitions)


def nothing_is_behind(lead_id: str, partition: int) -> None:
    """Refuses no event."""


def _written(event: Event) -> str:
    # To Python 1.0 and True are equal; written down they are not.
    return json.dumps(
        [str(event.event_time), event.lead_id, event.event_type, event.properties, event.source], sort_keys=True
    )
