"""Sending batches until the ingest service has answered for each event. Event ids make it safe to send twice."""

import time
from collections.abc import Callable
from threading import Event, Lock

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1.ingest_pb2_grpc import IngestServiceStub

from cli.terminal.connection import CALL_SECONDS, CommandError, nobody_answers
from cli.terminal.counts import counted
from shared.rpc.retries import retry_seconds

UNAVAILABLE_SECONDS = 60.0
"""How long a batch is retried while the service is unavailable."""
BACKPRESSURE_SECONDS = 900.0
"""How long a batch is retried while the service answers, but asks to retry later because scoring is behind."""
FIRST_PAUSE_SECONDS = 0.2

RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}
"""After these a batch is sent again: the service may or may not have stored it, as when it stops during the call."""


class Sender:
    """Sends batches; several threads may share it. Setting `stop` interrupts their waits."""

    def __init__(self, stub: IngestServiceStub, on_backpressure: Callable[[str], None]) -> None:
        self.stop = Event()
        self._stub = stub
        self._on_backpressure = on_backpressure
        self._has_answered = False
        self._reported = Lock()

    def send(self, events: list[pb.Event]) -> list[pb.EventOutcome]:
        """Returns one outcome per event, in order; none of them is RETRY_LATER.

        Raises:
            CommandError: The service has deferred some of them for longer than `BACKPRESSURE_SECONDS`.
            grpc.RpcError: The call failed with a code that is not retryable, or for longer than the limits.
        """
        outcomes = dict[int, pb.EventOutcome]()
        left, ends = list(range(len(events))), time.monotonic() + BACKPRESSURE_SECONDS
        while left:
            answers = self._call([events[index] for index in left])
            outcomes.update(zip(left, answers, strict=True))
            left = [index for index in left if outcomes[index].outcome == pb.OUTCOME_RETRY_LATER]
            if left:
                self._wait([outcomes[index] for index in left], ends)
        return [outcomes[index] for index in range(len(events))]

    def _wait(self, deferred: list[pb.EventOutcome], ends: float) -> None:
        first = deferred[0]
        self._report(first.message)
        if time.monotonic() > ends:
            raise CommandError(f"the ingest service did not accept {counted(len(deferred), 'event')}: {first.message}")
        if self.stop.wait(max(each.retry_delay.ToTimedelta().total_seconds() for each in deferred)):
            raise CommandError("interrupted")

    def _call(self, events: list[pb.Event]) -> list[pb.EventOutcome]:
        started = unavailable_since = time.monotonic()
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = self._stub.BatchIngestEvents(pb.BatchIngestEventsRequest(events=events), timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                delay = self._requested_delay(error)
                self._has_answered |= not nobody_answers(error)
                # If the service has never answered, it is not just restarting: fail at once.
                if error.code() not in RETRYABLE or not self._has_answered:
                    raise
                now = time.monotonic()
                if delay is not None:
                    unavailable_since = now
                if now > unavailable_since + UNAVAILABLE_SECONDS or now > started + BACKPRESSURE_SECONDS:
                    raise
                if self.stop.wait(max(pause, delay or 0.0)):
                    raise
                pause = min(2 * pause, 5.0)
            else:
                self._has_answered = True
                return list(answer.outcomes)

    def _requested_delay(self, error: grpc.RpcError) -> float | None:
        """Returns the seconds that the service asks to wait before a retry; None if it does not ask."""
        delay = retry_seconds(error)
        if delay is not None:
            self._report(error.details() or "")
        return delay

    def _report(self, reason: str) -> None:
        # The first thread acquires the lock and never releases it, so the reason is reported once.
        if self._reported.acquire(blocking=False):
            self._on_backpressure(reason)
