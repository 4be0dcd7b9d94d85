"""One function per RPC: check, store, ring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest_service.domain.backlog import Behind
from ingest_service.domain.event import Event, EventIdConflict, InvalidEvent, check_event
from ingest_service.ports import Bell, EventStore, Stored
from shared.group_commit import GroupCommit
from shared.tasks import to_the_end

Refused = InvalidEvent | EventIdConflict | Behind
"""Why one event is not stored: for good, or (Behind) for now."""
Outcome = Stored | Refused
"""What became of one event: NEW, SAME, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use cases, with what they need."""

    store: EventStore
    group: GroupCommit[Event, Stored]
    bell: Bell
    clock: Callable[[], datetime]
    refusal: Callable[[str, int], Behind | None]
    """Tells why events of a lead, in a partition, are not taken at the moment."""

    async def one(self, event: Event) -> Stored:
        """Stores one event and returns NEW or SAME.

        Raises:
            InvalidEvent: It breaks a limit.
            EventIdConflict: Its id stands for another event.
            Behind: Its lead or partition is behind, so it is not taken at the moment.
        """
        flaw = self._flaw(event, self.clock())
        if flaw is not None:
            raise flaw
        stored = await self.group.add(event)
        if stored is Stored.OTHER:
            raise EventIdConflict(event.event_id)
        if stored is Stored.NEW:
            self.bell.ring([self.store.partition_of(event.lead_id)])
        return stored

    async def batch(self, events: Sequence[Event]) -> list[Outcome]:
        """Stores those of the events that are well-formed and not behind, and returns one outcome per event, in order.

        `check_batch` has found that there are not too many.
        """
        now = self.clock()
        flaws = [self._flaw(event, now) for event in events]
        sound = [event for event, flaw in zip(events, flaws, strict=True) if flaw is None]
        # A caller that goes away must not tear the write.
        stored = iter(await to_the_end(self.store.put(sound)) if sound else ())
        outcomes = [flaw or _outcome(event, next(stored)) for event, flaw in zip(events, flaws, strict=True)]
        self.bell.ring(
            self.store.partition_of(event.lead_id)
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome is Stored.NEW
        )
        return outcomes

    def _flaw(self, event: Event, now: datetime) -> InvalidEvent | Behind | None:
        try:
            check_event(event, now)
        except InvalidEvent as flaw:
            return flaw
        return self.refusal(event.lead_id, self.store.partition_of(event.lead_id))


def _outcome(event: Event, stored: Stored) -> Outcome:
    return EventIdConflict(event.event_id) if stored is Stored.OTHER else stored
