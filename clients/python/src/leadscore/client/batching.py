"""Sends events in batches from a background thread.

Guarantee: a queued event is sent until the server acknowledges or rejects it, or the batcher is closed. Events that are
still unacknowledged then are in the `FlushTimeout` that `close` raises.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeAlias

import grpc
from leadscore.client.errors import (
    EventsRejected,
    FlushTimeout,
    LeadscoreError,
    QueueFull,
    Rejection,
    from_rpc_error,
)
from leadscore.client.events import IDENTIFY, build_event
from leadscore.client.outbox import Outbox
from leadscore.client.retry import RetryPolicy, pause_after
from leadscore.ingest.v1 import ingest_pb2 as pb

Send: TypeAlias = "grpc.UnaryUnaryMultiCallable[pb.BatchIngestEventsRequest, pb.BatchIngestEventsResponse]"


class Batcher:
    """A bounded queue of events and the thread that sends them; made by `Client.batch`. Threads may share it."""

    def __init__(
        self,
        send: Send,
        policy: RetryPolicy,
        *,
        max_queued: int,
        block_seconds: float,
        on_rejected: Callable[[Rejection], None] | None,
    ) -> None:
        self._send = send
        self._policy = policy
        self._block_seconds = block_seconds
        self._on_rejected = on_rejected
        self._outbox = Outbox(max_queued)
        self._changed = threading.Condition()
        self._sending = False
        self._closed = False
        self._failure: BaseException | None = None
        self._failed_attempts = 0
        self._thread = threading.Thread(target=self._run, name="leadscore-batcher", daemon=True)
        self._thread.start()

    def track(
        self,
        lead_id: str,
        event_type: str,
        *,
        properties: Mapping[str, Any] | None = None,
        event_id: str | None = None,
        event_time: datetime | None = None,
        source: str = "",
        historical: bool = False,
    ) -> str:
        """Queues an event and returns its id.

        Raises:
            QueueFull: The queue had no room within `block_seconds`.
            InvalidArgument: The event cannot be sent.
        """
        event = build_event(
            lead_id,
            event_type,
            properties=properties,
            event_id=event_id,
            event_time=event_time,
            source=source,
            historical=historical,
        )
        with self._changed:
            room = self._changed.wait_for(lambda: self._ended or not self._outbox.is_full, self._block_seconds)
            self._require_running()
            if not room:
                raise QueueFull(f"the queue is full; events in it: {len(self._outbox):,}", event_id=event.event_id)
            self._outbox.add(event)
            self._changed.notify_all()
        return event.event_id

    def identify(self, lead_id: str, /, **attributes: Any) -> str:  # noqa: ANN401 (JSON)
        """Queues an event that sets attributes of a lead, and returns its id."""
        return self.track(lead_id, IDENTIFY, properties=attributes)

    def flush(self, seconds: float = 30.0) -> None:
        """Waits up to `seconds` until every queued event is acknowledged or rejected.

        Raises:
            FlushTimeout: Some events are still unacknowledged; they stay queued.
            EventsRejected: Events were rejected since the last flush, and there is no `on_rejected`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._is_idle, seconds)
            self._require_running()
            unsent = self._outbox.unacknowledged()
            if not self._is_idle:
                raise FlushTimeout(
                    f"not every event was acknowledged within {seconds:g} s; remaining: {len(unsent):,}", unsent
                )
            rejections = self._outbox.take_rejections()  # without those that were passed to `on_rejected`
        if rejections:
            raise EventsRejected(rejections)

    def close(self, seconds: float = 30.0) -> None:
        """Flushes the queue for up to `seconds`, then ends the thread.

        Raises:
            FlushTimeout: Some events are unacknowledged; they are dropped, and are in the error's `unsent`.
            EventsRejected: See `flush`.
        """
        if self._closed:
            return
        try:
            self.flush(seconds)
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            # A call in flight ends at its deadline.
            self._thread.join(self._policy.attempt_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _ended(self) -> bool:
        return self._closed or self._failure is not None

    @property
    def _is_idle(self) -> bool:
        return not self._sending and not len(self._outbox)

    def _require_running(self) -> None:
        if self._failure is not None:
            raise LeadscoreError(f"the sender failed: {self._failure!r}") from self._failure
        if self._closed:
            raise LeadscoreError("the batcher is closed")

    def _run(self) -> None:
        try:
            while not self._closed:
                self._send_one(self._next_batch())
        except Exception as error:  # noqa: BLE001 (raised in the threads that use the batcher)
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next_batch(self) -> list[pb.Event]:
        with self._changed:
            while not self._closed:
                batch = self._outbox.take_batch(time.monotonic())
                if batch:
                    self._sending = True
                    return batch
                self._changed.wait(self._outbox.seconds_until_due(time.monotonic()))
        return []

    def _send_one(self, events: list[pb.Event]) -> None:
        if not events:
            return
        pause = self._settle(events)
        self._report_rejections()
        with self._changed:
            self._sending = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed, pause)

    def _settle(self, events: list[pb.Event]) -> float:
        """Sends a batch, and returns how long to wait before the next one, in seconds."""
        try:
            response = self._send(pb.BatchIngestEventsRequest(events=events), timeout=self._policy.attempt_seconds)
        except grpc.RpcError as error:
            return self._put_back_or_reject(error)
        self._failed_attempts = 0
        with self._changed:
            self._outbox.settle(response.outcomes, time.monotonic())
        return 0.0

    def _put_back_or_reject(self, error: grpc.RpcError) -> float:
        pause = pause_after(error, self._policy, self._failed_attempts)
        self._failed_attempts += 1
        with self._changed:
            if pause is None:
                final = from_rpc_error(error)
                self._outbox.reject_batch(final.reason or error.code().name, final.field, str(final))
            else:
                self._outbox.put_back()
        return pause or 0.0

    def _report_rejections(self) -> None:
        if self._on_rejected is not None:
            with self._changed:
                rejections = self._outbox.take_rejections()
            for rejection in rejections:
                self._on_rejected(rejection)
