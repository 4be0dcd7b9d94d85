"""One method per RPC: validate the events, store them, ring the doorbell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ingest_service import metrics
from ingest_service.domain.backlog import RetryLater
from ingest_service.domain.erasure import EventErased, LeadBeingErased, LeadErased
from ingest_service.domain.errors import EventIdConflict, InvalidEvent
from ingest_service.domain.event import Event, checked, warning_of
from ingest_service.domain.properties import Shortening
from ingest_service.ports import Doorbell, EventStore, PutOutcome, PutResult
from shared.group_commit import GroupCommit
from shared.tasks import to_the_end

NotNow = RetryLater | LeadBeingErased
"""Why an event is not stored now, but may be later; with `retry_seconds`."""
Refusal = InvalidEvent | EventIdConflict | EventErased | LeadErased | NotNow
"""Why an event is not stored."""


class Receipt(NamedTuple):
    """Says that an event is stored: now or before, and what was shortened in its properties.

    `warning` is a sentence for people about an id or a type that looks like another one; it may be empty.
    """

    result: PutResult
    shortening: Shortening | None
    warning: str


Outcome = Receipt | Refusal
"""The outcome for one event: a receipt, or why it was refused."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use cases and their dependencies."""

    store: EventStore
    group: GroupCommit[Event, PutOutcome]
    doorbell: Doorbell
    clock: Callable[[], datetime]
    refusal: Callable[[str], NotNow | LeadErased | None]
    """Returns why events of this lead are currently refused, or None if they are accepted."""

    async def ingest_event(self, event: Event) -> Receipt:
        """Stores one event.

        Raises:
            InvalidEvent: The event is invalid.
            EventIdConflict: The id belongs to another event.
            LeadErased, EventErased: The lead was erased, or it has begun anew and the event was erased before.
            PartitionBehind, LeadBehind: The backlog of the partition or lead is too large; retry later.
            LeadBeingErased: The lead is being erased; retry later.
        """
        admitted = self._admitted(event, self.clock())
        if not isinstance(admitted, Event):
            metrics.count((), (admitted,))
            raise admitted
        result = await self.group.add(admitted)
        metrics.count((result,))
        if isinstance(result, Exception):
            raise result
        if result is PutResult.NEW:
            self.doorbell.ring([self.store.partition_of(admitted.lead_id)])
        return Receipt(result, admitted.shortening, warning_of(admitted))

    async def ingest_batch(self, events: Sequence[Event]) -> list[Outcome]:
        """Stores the acceptable events of a batch. Returns one outcome per event, in order.

        The caller has checked the size of the batch with `check_batch`.
        """
        now = self.clock()
        admitted = [self._admitted(event, now) for event in events]
        accepted = [each for each in admitted if isinstance(each, Event)]
        # A cancelled call must not interrupt the write.
        results = await to_the_end(self.store.put(accepted)) if accepted else []
        metrics.count(results, [each for each in admitted if not isinstance(each, Event)])
        self.doorbell.ring(
            self.store.partition_of(event.lead_id)
            for event, result in zip(accepted, results, strict=True)
            if result is PutResult.NEW
        )
        outcomes = map(_outcome, accepted, results)
        return [next(outcomes) if isinstance(each, Event) else each for each in admitted]

    def _admitted(self, event: Event, now: datetime) -> Event | InvalidEvent | LeadErased | NotNow:
        try:
            event = checked(event, now)
        except InvalidEvent as error:
            return error
        return self.refusal(event.lead_id) or event


def _outcome(event: Event, result: PutOutcome) -> Outcome:
    return result if isinstance(result, Exception) else Receipt(result, event.shortening, warning_of(event))
