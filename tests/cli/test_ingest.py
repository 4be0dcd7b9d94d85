"""Events are sent in batches that a server accepts, again after failures, and every line is counted once."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from cli.events import sending
from cli.events.batches import MAX_BATCH_BYTES, MAX_LISTED, Totals
from cli.events.ingest import ingest
from cli.events.lines import Line
from cli.terminal.connection import CommandError, Connection

Answer = Callable[[int, grpc.ServicerContext], None]
"""Called with the number of the RPC, from 1; it may abort the RPC."""


class Service(ingest_pb2_grpc.IngestServiceServicer):
    """Keeps events in memory.

    Rejects ids that begin with `bad`; defers those that begin with `late` twice. Ids that begin with `taken` belong to
    another event, and events with ids that begin with `long` are shortened. Lead ids that end with a zero-width space
    get a warning.
    """

    def __init__(self, before: Answer) -> None:
        self.sizes: list[int] = []
        self.ids: set[str] = set()
        self.historical: list[str] = []
        self.put_off: Counter[str] = Counter()
        self._before = before

    def IngestEvent(  # noqa: N802 (the name of the RPC)
        self, request: pb.IngestEventRequest, context: grpc.ServicerContext
    ) -> pb.IngestEventResponse:
        """Fails: the command sends batches only."""
        raise AssertionError("expected batches only")

    def BatchIngestEvents(  # noqa: N802 (the name of the RPC)
        self, request: pb.BatchIngestEventsRequest, context: grpc.ServicerContext
    ) -> pb.BatchIngestEventsResponse:
        """Records the size of the batch and answers."""
        self.sizes.append(len(request.events))
        self._before(len(self.sizes), context)
        return pb.BatchIngestEventsResponse(outcomes=[self._outcome(event) for event in request.events])

    def _outcome(self, event: pb.Event) -> pb.EventOutcome:
        if event.event_id.startswith("bad"):
            return pb.EventOutcome(outcome=pb.OUTCOME_REJECTED, message=f"{event.event_id} is bad")
        if event.event_id.startswith("late") and self.put_off[event.event_id] < 2:
            self.put_off[event.event_id] += 1
            delay = Duration(nanos=1_000_000)
            return pb.EventOutcome(outcome=pb.OUTCOME_RETRY_LATER, message="ada is behind", retry_delay=delay)
        if event.event_id.startswith("taken"):
            reason = pb.ERROR_REASON_EVENT_ID_CONFLICT
            return pb.EventOutcome(outcome=pb.OUTCOME_REJECTED, reason=reason, message="differs in properties")
        outcome = pb.OUTCOME_DUPLICATE if event.event_id in self.ids else pb.OUTCOME_ACCEPTED
        self.ids.add(event.event_id)
        if event.historical:
            self.historical.append(event.event_id)
        shortening = pb.Shortening(left_out_count=1) if event.event_id.startswith("long") else None
        warning = "lead_id: ends with U+200B" if event.lead_id.endswith("\u200b") else ""
        return pb.EventOutcome(outcome=outcome, shortening=shortening, warning=warning)


@contextmanager
def serving(before: Answer = lambda *_: None) -> Iterator[tuple[Service, Connection]]:
    """Serves in this process and yields the service and a connection to it."""
    service = Service(before)
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        ingest_pb2_grpc.add_IngestServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield service, Connection(port)
        finally:
            server.stop(0).wait()


def lines(*events: pb.Event | str) -> list[Line]:
    """Returns lines that hold the events, or flaws where a text is given."""
    return [
        Line(number, None, event) if isinstance(event, str) else Line(number, event, None)
        for number, event in enumerate(events, start=1)
    ]


def events(count: int) -> list[pb.Event]:
    return [pb.Event(event_id=f"event-{number}") for number in range(count)]


def send(
    connection: Connection,
    sent: list[Line],
    *,
    batch_size: int = 10,
    concurrency: int = 1,
    on_backpressure: Callable[[str], None] = lambda _: None,
) -> Totals:
    return ingest(
        connection,
        sent,
        batch_size=batch_size,
        concurrency=concurrency,
        on_progress=lambda _: None,
        on_backpressure=on_backpressure,
    )


def refuse(context: grpc.ServicerContext, text: str) -> None:
    """Aborts a call the way an overloaded ingest service does."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.RetryInfo(retry_delay=Duration(nanos=1_000_000)))
    context.abort_with_status(
        rpc_status.to_status(status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message=text, details=[info]))
    )


@pytest.mark.parametrize("concurrency", [1, 4])
def test_each_event_is_sent_and_counted_once(concurrency: int) -> None:
    with serving() as (service, connection):
        first = send(connection, lines(*events(95)), concurrency=concurrency)
        again = send(connection, lines(*events(95)), concurrency=concurrency)
    assert (first.accepted, first.duplicate, first.rejected) == (95, 0, 0)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 95, 0)
    assert len(service.ids) == 95
    assert max(service.sizes) == 10


def test_rejected_lines_are_reported_in_file_order() -> None:
    sent = lines("is not JSON", *events(11), pb.Event(event_id="bad-1"), "is nested too deeply")
    with serving() as (_, connection):
        totals = send(connection, sent, concurrency=4, batch_size=3)
    assert (totals.accepted, totals.rejected) == (11, 3)
    assert totals.rejections == [(1, "is not JSON"), (13, "bad-1 is bad"), (14, "is nested too deeply")]


def test_only_deferred_events_are_sent_again_and_the_reason_is_reported_once() -> None:
    reported: list[str] = []
    sent = lines(*events(3), pb.Event(event_id="late-1"), *events(2)[:1], pb.Event(event_id="late-2"))
    with serving() as (service, connection):
        totals = send(connection, sent, on_backpressure=reported.append)
    assert (totals.accepted, totals.duplicate, totals.rejected) == (5, 1, 0)
    assert service.sizes == [6, 2, 2]
    assert reported == ["ada is behind"]


def test_events_deferred_for_too_long_fail_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "BACKPRESSURE_SECONDS", -1.0)
    with serving() as (_, connection), pytest.raises(CommandError, match="did not accept 1 event: ada is"):
        send(connection, lines(pb.Event(event_id="late-1")))


def test_only_the_first_flaws_are_kept() -> None:
    with serving() as (service, connection):
        totals = send(connection, lines(*["flawed"] * 50))
    assert totals.rejected == 50
    assert len(totals.rejections) == MAX_LISTED
    assert service.sizes == []


def test_batches_stay_below_the_servers_limit_in_bytes() -> None:
    large = [pb.Event(event_id=f"event-{number}", source="x" * 400_000) for number in range(5)]
    oversized = pb.Event(event_id="oversized", source="x" * MAX_BATCH_BYTES)
    with serving() as (service, connection):
        totals = send(connection, lines(*large, oversized))
    assert (totals.accepted, totals.rejected) == (5, 1)
    assert service.sizes == [2, 2, 1]
    assert "at most" in totals.rejections[0][1]


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    ],
)
def test_a_failed_batch_is_sent_again_after_grpc_gives_up(
    code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("cli.terminal.connection._RETRIES", {})

    def fail_twice(number: int, context: grpc.ServicerContext) -> None:
        if number in {2, 3}:
            context.abort(code, "call again")

    with serving(fail_twice) as (service, connection):
        totals = send(connection, lines(*events(30)))
    assert totals.accepted == 30
    assert len(service.sizes) == 5


def test_backpressure_on_the_first_call_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sending, "UNAVAILABLE_SECONDS", 0.0)
    reasons: list[str] = []

    def ask(number: int, context: grpc.ServicerContext) -> None:
        if number <= 12:
            refuse(context, "no workers")

    with serving(ask) as (_, connection):
        totals = send(connection, lines(*events(30)), on_backpressure=reasons.append)
    assert totals.accepted == 30
    assert reasons == ["no workers"], "the reason is reported once"


def test_backpressure_for_too_long_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sending, "BACKPRESSURE_SECONDS", 0.0)
    with (
        serving(lambda _, context: refuse(context, "no workers")) as (_, connection),
        pytest.raises(CommandError, match=r"ingest: no workers \(RESOURCE_EXHAUSTED\)"),
    ):
        send(connection, lines(*events(1)))


def test_an_error_answered_by_the_service_itself_is_retried_on_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("cli.terminal.connection._RETRIES", {})

    def elect(number: int, context: grpc.ServicerContext) -> None:
        if number <= 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "MongoDB has no primary")

    with serving(elect) as (service, connection):
        assert send(connection, lines(*events(1))).accepted == 1
    assert len(service.sizes) == 4


def test_an_invalid_request_is_not_retried() -> None:
    def reject(number: int, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such thing")

    with serving(reject) as (service, connection), pytest.raises(CommandError, match="no such thing"):
        send(connection, lines(*events(1)))
    assert len(service.sizes) == 1


def test_a_service_that_is_not_running_fails_the_command_with_one_line() -> None:
    message = r"no ingest service answers at .* `leadscore up`"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(CommandError, match=message):
            send(Connection(nobody.getsockname()[1]), lines(*events(1)))
