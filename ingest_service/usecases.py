"""One function per RPC: check, store, ring."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest_service.domain.event import (
    MOST_EVENTS,
    Event,
    EventIdConflict,
    InvalidBatch,
    InvalidEvent,
    check_event,
)
from ingest_service.ports import Bell, EventStore, Stored
from shared.groups import GroupCommit

Outcome = Stored | InvalidEvent | EventIdConflict
"""What became of one event: NEW, SAME, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use cases, with what they need."""

    store: EventStore
    group: GroupCommit[Event, Stored]
    bell: Bell
    clock: Callable[[], datetime]

    async def one(self, event: Event) -> Stored:
        """Stores one event and returns NEW or SAME.

        Raises:
            InvalidEvent: It breaks a limit.
            EventIdConflict: Its id stands for another event.
        """
        check_event(event, self.clock())
        stored = await self.group.add(event)
        if stored is Stored.OTHER:
            raise EventIdConflict(event.event_id)
        if stored is Stored.NEW:
            self.bell.ring([self.store.partition_of(event.lead_id)])
        return stored

    async def batch(self, events: Sequence[Event]) -> list[Outcome]:
        """Stores those of the events that are well-formed and returns one outcome per event, in order.

        Raises:
            InvalidBatch: There is no event, or there are more than `MOST_EVENTS`.
        """
        if not 1 <= len(events) <= MOST_EVENTS:
            raise InvalidBatch(len(events))
        now = self.clock()
        flaws = [_flaw(event, now) for event in events]
        sound = [event for event, flaw in zip(events, flaws, strict=True) if flaw is None]
        # A caller that goes away must not tear the write.
        stored = iter(await asyncio.shield(self.store.put(sound)) if sound else ())
        outcomes = [flaw or _outcome(event, next(stored)) for event, flaw in zip(events, flaws, strict=True)]
        self.bell.ring(
            self.store.partition_of(event.lead_id)
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome is Stored.NEW
        )
        return outcomes


def _flaw(event: Event, now: datetime) -> InvalidEvent | None:
    try:
        check_event(event, now)
    except InvalidEvent as flaw:
        return flaw
    return None


def _outcome(event: Event, stored: Stored) -> Outcome:
    return EventIdConflict(event.event_id) if stored is Stored.OTHER else stored
