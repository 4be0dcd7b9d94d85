"""One method per RPC: validate the events, store them, ring the doorbell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest_service.domain.backlog import RetryLater
from ingest_service.domain.event import Event, EventIdConflict, InvalidEvent, check_event
from ingest_service.ports import Doorbell, EventStore, PutResult
from shared.group_commit import GroupCommit
from shared.tasks import to_the_end

Refusal = InvalidEvent | EventIdConflict | RetryLater
"""Why an event is not stored: permanently, or for now (RetryLater)."""
Outcome = PutResult | Refusal
"""The outcome for one event: NEW, DUPLICATE, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use cases and their dependencies."""

    store: EventStore
    group: GroupCommit[Event, PutResult]
    doorbell: Doorbell
    clock: Callable[[], datetime]
    backpressure: Callable[[str], RetryLater | None]
    """Returns why events of this lead are currently refused, or None if they are accepted."""

    async def ingest_event(self, event: Event) -> PutResult:
        """Stores one event. Returns NEW or DUPLICATE.

        Raises:
            InvalidEvent: The event is invalid.
            EventIdConflict: The id belongs to an event with a different payload.
            PartitionBehind, LeadBehind: The backlog of the partition or lead is too large; retry later.
        """
        refusal = self._refusal(event, self.clock())
        if refusal is not None:
            raise refusal
        result = await self.group.add(event)
        if result is PutResult.CONFLICT:
            raise EventIdConflict(event.event_id)
        if result is PutResult.NEW:
            self.doorbell.ring([self.store.partition_of(event.lead_id)])
        return result

    async def ingest_batch(self, events: Sequence[Event]) -> list[Outcome]:
        """Stores the acceptable events of a batch. Returns one outcome per event, in order.

        The caller has checked the size of the batch with `check_batch`.
        """
        now = self.clock()
        refusals = [self._refusal(event, now) for event in events]
        accepted = [event for event, refusal in zip(events, refusals, strict=True) if refusal is None]
        # A cancelled call must not interrupt the write.
        results = iter(await to_the_end(self.store.put(accepted)) if accepted else ())
        outcomes = [refusal or _outcome(event, next(results)) for event, refusal in zip(events, refusals, strict=True)]
        self.doorbell.ring(
            self.store.partition_of(event.lead_id)
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome is PutResult.NEW
        )
        return outcomes

    def _refusal(self, event: Event, now: datetime) -> InvalidEvent | RetryLater | None:
        try:
            check_event(event, now)
        except InvalidEvent as error:
            return error
        return self.backpressure(event.lead_id)


def _outcome(event: Event, result: PutResult) -> Outcome:
    return EventIdConflict(event.event_id) if result is PutResult.CONFLICT else result
