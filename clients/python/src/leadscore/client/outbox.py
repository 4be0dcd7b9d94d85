"""The events that are not acknowledged yet. Pure: no threads and no calls; time is an argument, in seconds.

Guarantee: an event stays here until the server has acknowledged or rejected it.
"""

from collections import deque
from collections.abc import Sequence

from leadscore.client.errors import InvalidArgument, Rejection
from leadscore.ingest.v1 import ingest_pb2 as pb

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1000 * 1024
"""A little less than the 1 MiB that the server accepts."""
MAX_REJECTIONS = 1_000


class Outbox:
    """A bounded queue of events, including those that the server asked to send later."""

    def __init__(self, max_events: int) -> None:
        self._rejections: deque[Rejection] = deque(maxlen=MAX_REJECTIONS)
        self._max_events = max_events
        self._queue: deque[pb.Event] = deque()
        self._deferred: list[tuple[float, pb.Event]] = []
        self._in_flight: list[pb.Event] = []

    def __len__(self) -> int:
        return len(self._queue) + len(self._deferred) + len(self._in_flight)

    @property
    def is_full(self) -> bool:
        """Whether the queue has no room for another event."""
        return len(self) >= self._max_events

    def add(self, event: pb.Event) -> None:
        """Queues an event.

        Raises:
            InvalidArgument: The event is too large to be sent.
        """
        if _size(event) > MAX_BATCH_BYTES:
            raise InvalidArgument(f"the event has more than {MAX_BATCH_BYTES:,} bytes", event_id=event.event_id)
        self._queue.append(event)

    def take_batch(self, now: float) -> list[pb.Event]:
        """Returns the events to send next, if any. `settle`, `reject_batch` or `put_back` ends the batch."""
        self._requeue_due(now)
        size = 0
        while self._queue and len(self._in_flight) < MAX_BATCH_EVENTS:
            size += _size(self._queue[0])
            if size > MAX_BATCH_BYTES:
                break
            self._in_flight.append(self._queue.popleft())
        return list(self._in_flight)

    def seconds_until_due(self, now: float) -> float | None:
        """Returns the time until an event may be sent; None if there is nothing to send."""
        if self._queue:
            return 0.0
        return max(0.0, min(due for due, _ in self._deferred) - now) if self._deferred else None

    def settle(self, outcomes: Sequence[pb.EventOutcome], now: float) -> None:
        """Ends a batch with the outcomes of its events, in the same order."""
        for event, outcome in zip(self._in_flight, outcomes, strict=True):
            if outcome.outcome == pb.OUTCOME_RETRY_LATER:
                self._deferred.append((now + outcome.retry_delay.ToTimedelta().total_seconds(), event))
            elif outcome.outcome == pb.OUTCOME_REJECTED:
                reason = pb.ErrorReason.Name(outcome.reason).removeprefix("ERROR_REASON_")
                self._rejections.append(Rejection(event, reason, outcome.field, outcome.message))
        self._in_flight.clear()

    def reject_batch(self, reason: str, field: str, message: str) -> None:
        """Ends a batch that the server permanently rejected as a whole."""
        self._rejections.extend(Rejection(event, reason, field, message) for event in self._in_flight)
        self._in_flight.clear()

    def put_back(self) -> None:
        """Ends a batch whose outcome is unknown. Its events return to the front of the queue."""
        self._queue.extendleft(reversed(self._in_flight))
        self._in_flight.clear()

    def take_rejections(self) -> list[Rejection]:
        """Returns the rejections since the last call, at most the latest `MAX_REJECTIONS`."""
        taken = list(self._rejections)
        self._rejections.clear()
        return taken

    def unacknowledged(self) -> list[pb.Event]:
        """Returns the events that the server has neither acknowledged nor rejected."""
        return [*self._in_flight, *self._queue, *(event for _, event in self._deferred)]

    def _requeue_due(self, now: float) -> None:
        self._queue.extend(event for due, event in self._deferred if due <= now)
        self._deferred = [(due, event) for due, event in self._deferred if due > now]


def _size(event: pb.Event) -> int:
    # In a batch, an event also has a tag and a length, which take less than eight bytes.
    return event.ByteSize() + 8
