"""The client for threads."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from leadscore.client.batching import Batcher
from leadscore.client.connection import CHANNEL_OPTIONS, Targets
from leadscore.client.errors import LeadscoreError, Rejection, from_rpc_error
from leadscore.client.events import IDENTIFY, Receipt, build_event
from leadscore.client.keys import key_from_environment, with_key
from leadscore.client.requests import WATCH_SECONDS, history_request, lead_request, watch_request
from leadscore.client.retry import Attempts, RetryPolicy
from leadscore.client.tls import Tls, open_channel
from leadscore.ingest.v1 import ingest_pb2
from leadscore.ingest.v1.ingest_pb2_grpc import IngestServiceStub
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.intelligence.v1.intelligence_pb2_grpc import IntelligenceServiceStub
from leadscore.scoring.v1 import scoring_pb2
from leadscore.scoring.v1.scoring_pb2_grpc import ScoringServiceStub

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Client:
    """A client of the services; threads may share it.

    Args:
        targets: The addresses; by default `Targets.from_environment()`.
        api_key: The key to show; by default `LEADSCORE_API_KEY`, or what is in the file `LEADSCORE_API_KEY_FILE`.
        tls: How to connect over TLS; by default `Tls.from_environment()`.
        retry: How calls are retried.

    Every method raises a `LeadscoreError` if its call still fails after the retries. The first call connects.
    """

    def __init__(
        self,
        targets: Targets | None = None,
        *,
        api_key: str | None = None,
        tls: Tls | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        targets, tls = targets or Targets.from_environment(), tls or Tls.from_environment()
        key = key_from_environment() if api_key is None else api_key
        self._retry = retry or RetryPolicy()
        self._channels = [
            with_key(open_channel(target, tls, CHANNEL_OPTIONS), key)
            for target in (targets.ingest, targets.scoring, targets.intelligence)
        ]
        ingest, scoring, intelligence = self._channels
        self._ingest = IngestServiceStub(ingest)
        self._scoring = ScoringServiceStub(scoring)
        self._intelligence = IntelligenceServiceStub(intelligence)

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
    ) -> Receipt:
        """Sends one event, and returns once it is stored.

        `event_id` is the idempotency key: an event that is sent again with the same id counts once. By default the id
        is random, and `event_time` is now. After `Unavailable`, retry with the error's `event_id` and the same time.
        No automation fires for a `historical` event.
        """
        return self._send(
            build_event(
                lead_id,
                event_type,
                properties=properties,
                event_id=event_id,
                event_time=event_time,
                source=source,
                historical=historical,
            )
        )

    def identify(self, lead_id: str, /, **attributes: Any) -> Receipt:  # noqa: ANN401 (JSON)
        """Sets attributes of a lead. For each attribute, the latest value wins."""
        return self._send(build_event(lead_id, IDENTIFY, properties=attributes))

    def lead(self, lead_id: str, *, as_of: datetime | None = None) -> intelligence_pb2.LeadIntelligence:
        """Returns score, stage, velocity, risk and next action of a lead, now or at an earlier time.

        Events are scored shortly after `track` returns. Until a lead has a scored event, this raises `NotFound`.
        """
        request = lead_request(lead_id, as_of)
        return self._call(self._intelligence.GetLeadIntelligence, request).lead_intelligence

    def history(self, lead_id: str, *, newest_first: bool = False) -> Iterator[scoring_pb2.ScoreEntry]:
        """Yields the entries of a lead's history, page by page."""
        token = ""
        while True:
            request = history_request(lead_id, token, newest_first=newest_first)
            page = self._call(self._scoring.ListScoreHistory, request)
            yield from page.entries
            token = page.next_page_token
            if not token:
                return

    def watch(
        self,
        *,
        stages: Iterable[str] = (),
        minimum_score: int | None = None,
        lead_ids: Iterable[str] = (),
        resume_token: str = "",
    ) -> Iterator[intelligence_pb2.WatchLeadsResponse]:
        """Yields each committed change of the leads that match, until the caller stops iterating.

        The first response has no change; it confirms that the watch has started. If the stream breaks, it is resumed
        after the last response, so no change is missed. To continue in another process, keep the last `resume_token`.
        """
        stages, lead_ids = tuple(stages), tuple(lead_ids)
        attempts: Attempts | None = None  # since the last response: a stream may be idle for as long as it likes
        has_begun = False
        while True:
            request = watch_request(stages, minimum_score, lead_ids, resume_token)
            stream = self._intelligence.WatchLeads(request, timeout=WATCH_SECONDS)
            try:
                for response in stream:
                    attempts = None
                    resume_token = response.resume_token
                    if not has_begun or response.HasField("change"):
                        has_begun = True
                        yield response
            except grpc.RpcError as error:
                attempts = attempts or Attempts(self._retry)
                _pause(attempts, error)
            finally:
                stream.cancel()

    def batch(
        self,
        *,
        max_queued: int = 10_000,
        block_seconds: float = 30.0,
        on_rejected: Callable[[Rejection], None] | None = None,
    ) -> Batcher:
        """Returns a batcher, which sends events in the background, many per call. Close it before the client.

        Args:
            max_queued: The maximum number of events that are queued or in flight.
            block_seconds: How long `track` waits for room in the queue before it raises `QueueFull`.
            on_rejected: Called in the background thread for each event that the server rejects permanently. Without it,
                `flush` and `close` raise `EventsRejected`.
        """
        return Batcher(
            self._ingest.BatchIngestEvents,
            self._retry,
            max_queued=max_queued,
            block_seconds=block_seconds,
            on_rejected=on_rejected,
        )

    def close(self) -> None:
        """Closes the connections; calls in flight fail."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, event: ingest_pb2.Event) -> Receipt:
        try:
            response = self._call(self._ingest.IngestEvent, ingest_pb2.IngestEventRequest(event=event))
        except LeadscoreError as error:
            error.event_id = event.event_id
            raise
        return Receipt(event.event_id, duplicate=response.outcome == ingest_pb2.OUTCOME_DUPLICATE)

    def _call(self, method: "grpc.UnaryUnaryMultiCallable[_Request, _Response]", request: _Request) -> _Response:
        attempts = Attempts(self._retry)
        while True:
            try:
                return method(request, timeout=attempts.deadline())
            except grpc.RpcError as error:
                _pause(attempts, error)


def _pause(attempts: Attempts, error: grpc.RpcError) -> None:
    pause = attempts.pause_after(error)
    if pause is None:
        raise from_rpc_error(error) from error
    time.sleep(pause)
