"""Sending the events of a file, several batches at a time, and waiting until they are scored."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2

from cli.events.batches import Batch, Totals, batches
from cli.events.lines import Line
from cli.events.sending import RETRYABLE, Sender
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted

POLL_SECONDS = 0.2


def ingest(
    connection: Connection,
    lines: Iterable[Line],
    *,
    batch_size: int,
    concurrency: int,
    on_progress: Callable[[Totals], None],
    on_backpressure: Callable[[str], None],
) -> Totals:
    """Sends the events of the lines and returns the totals of their outcomes.

    Events of a lead or a partition that is behind are sent again until the service accepts them.

    Args:
        connection: The system to send to.
        lines: The lines of a file; their flaws are counted as rejected.
        batch_size: The maximum number of lines per call.
        concurrency: The maximum number of calls in flight.
        on_progress: Called after each batch.
        on_backpressure: Called once, with the service's reason, when it first asks to retry later.

    Raises:
        CommandError: The service does not answer, is unavailable for longer than `UNAVAILABLE_SECONDS`, or asks to
            retry later for longer than `BACKPRESSURE_SECONDS`.
    """
    totals, started = Totals(), time.monotonic()
    in_flight: deque[tuple[Batch, Future[list[pb.EventOutcome]]]] = deque()

    def settle() -> None:
        batch, answer = in_flight.popleft()
        totals.add(batch, answer.result())
        totals.seconds = time.monotonic() - started
        on_progress(totals)

    # The channel closes before the pool waits for its threads, so that an interrupt ends calls in flight at once.
    with ThreadPoolExecutor(concurrency) as pool, connection.ingest() as stub:
        sender = Sender(stub, on_backpressure)
        try:
            for batch in batches(lines, batch_size):
                in_flight.append((batch, pool.submit(sender.send, batch.events)))
                if len(in_flight) > 2 * concurrency:
                    settle()
            while in_flight:
                settle()
        finally:
            sender.stop.set()
    totals.seconds = time.monotonic() - started
    return totals


def wait_until_scored(connection: Connection, *, timeout: float, on_progress: Callable[[int], None]) -> int:
    """Waits until no event is pending, and returns the number of parked events.

    `on_progress` is called with the number of pending events at each poll.

    Raises:
        CommandError: Events are still pending after `timeout` seconds.
    """
    ends = time.monotonic() + timeout
    with connection.scoring() as stub:
        while True:
            try:
                request = scoring_pb2.GetScoringBacklogRequest()
                backlog = stub.GetScoringBacklog(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if error.code() not in RETRYABLE or time.monotonic() > ends:
                    raise
            else:
                left = backlog.pending_events
                on_progress(left)
                if not left:
                    return backlog.parked_events
                if time.monotonic() > ends:
                    raise CommandError(
                        f"{counted(left, 'event is', 'events are')} still pending after {timeout:g} s: "
                        "check that scoring workers run"
                    )
            time.sleep(POLL_SECONDS)
