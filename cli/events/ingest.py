"""Sending events in batches, several calls at a time; what is unsure is sent again, which their ids make safe."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1.ingest_pb2_grpc import IngestServiceStub
from leadscore.scoring.v1 import scoring_pb2

from cli.events.reading import Line
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection, nobody_answers
from shared.deadlines import retry_seconds

MESSAGE_BYTES = 1000 * 1024
"""Longest batch, a little less than the 1 MiB that a server takes."""
PATIENCE_SECONDS = 60.0
"""How long a batch is sent again while the service is away."""
REFUSED_SECONDS = 900.0
"""How long it is sent again while the service is there and asks to wait, as it does until scoring has caught up."""
FIRST_FLAWS = 10
"""How many of the flaws are kept."""
POLL_SECONDS = 0.2

_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}
"""After these a batch is sent again: it may or may not have been taken, as when a server stops in the middle."""


@dataclass(slots=True)
class Totals:
    """What became of the events so far. `flaws` are the first rejected lines: their numbers and why."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    seconds: float = 0.0
    flaws: list[tuple[int, str]] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Counts a rejected line."""
        self.rejected += 1
        if len(self.flaws) < FIRST_FLAWS:
            self.flaws.append((line, reason))


@dataclass(slots=True)
class _Batch:
    """Lines in the order of the file, of which those that are events are sent together."""

    lines: list[Line] = field(default_factory=list)
    events: list[pb.Event] = field(default_factory=list)
    size: int = 0

    def add(self, line: Line, size: int) -> None:
        self.lines.append(line)
        if line.event is not None:
            self.events.append(line.event)
            self.size += size


def ingest(
    connection: Connection,
    lines: Iterable[Line],
    *,
    batch_size: int,
    concurrency: int,
    on_progress: Callable[[Totals], None],
    on_refusal: Callable[[str], None],
) -> Totals:
    """Sends the events of the lines and returns what became of them.

    `on_progress` is called after each batch, `on_refusal` with the service's reason when it first asks to wait.

    Events whose lead or partition is behind are sent again until they are taken.

    Raises:
        CommandError: The service is away for longer than `PATIENCE_SECONDS`, was never there, or asks to wait for
            longer than `REFUSED_SECONDS`.
    """
    totals, started = Totals(), time.monotonic()
    waiting: deque[tuple[_Batch, Future[list[pb.EventOutcome]]]] = deque()

    def settle() -> None:
        batch, answer = waiting.popleft()
        _count(totals, batch, answer.result())
        totals.seconds = time.monotonic() - started
        on_progress(totals)

    # The channel is closed before the pool is waited for, so that an interrupted run ends its calls at once.
    with ThreadPoolExecutor(concurrency) as pool, connection.ingest() as stub:
        sender = _Sender(stub, on_refusal)
        try:
            for batch in _batches(lines, batch_size):
                waiting.append((batch, pool.submit(sender.send, batch.events)))
                if len(waiting) > 2 * concurrency:
                    settle()
            while waiting:
                settle()
        finally:
            sender.stop.set()
    totals.seconds = time.monotonic() - started
    return totals


def wait_until_scored(connection: Connection, *, timeout: float, on_progress: Callable[[int], None]) -> int:
    """Returns the number of parked events when no other waits to be scored; `on_progress` is told how many do.

    Raises:
        CommandError: Some still wait after `timeout` seconds.
    """
    ends = time.monotonic() + timeout
    with connection.scoring() as stub:
        while True:
            try:
                request = scoring_pb2.GetScoringBacklogRequest()
                backlog = stub.GetScoringBacklog(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if _code(error) not in _AGAIN or time.monotonic() > ends:
                    raise
            else:
                left = backlog.pending_events
                on_progress(left)
                if not left:
                    return backlog.parked_events
                if time.monotonic() > ends:
                    raise CommandError(f"{left:,} events still wait to be scored after {timeout:g} s: do workers run?")
            time.sleep(POLL_SECONDS)


class _Sender:
    """Sends batches, from several threads."""

    def __init__(self, stub: IngestServiceStub, on_refusal: Callable[[str], None]) -> None:
        self.stop = Event()
        self._stub = stub
        self._on_refusal = on_refusal
        self._was_there = False
        self._was_refused = Lock()

    def send(self, events: list[pb.Event]) -> list[pb.EventOutcome]:
        """Returns one outcome per event, in order; none of them is RETRY_LATER.

        Raises:
            CommandError: The service asked for longer than `REFUSED_SECONDS` to send some of them later.
        """
        outcomes = dict[int, pb.EventOutcome]()
        left, ends = list(range(len(events))), time.monotonic() + REFUSED_SECONDS
        while left:
            answers = self._send([events[index] for index in left])
            outcomes.update(zip(left, answers, strict=True))
            left = [index for index in left if outcomes[index].outcome == pb.OUTCOME_RETRY_LATER]
            if left:
                self._wait([outcomes[index] for index in left], ends)
        return [outcomes[index] for index in range(len(events))]

    def _wait(self, refused: list[pb.EventOutcome], ends: float) -> None:
        first = refused[0]
        self._say(first.message)
        if time.monotonic() > ends:
            raise CommandError(f"{len(refused):,} events of a batch were not taken: {first.message}")
        if self.stop.wait(max(each.retry_delay.ToTimedelta().total_seconds() for each in refused)):
            raise CommandError("interrupted")

    def _send(self, events: list[pb.Event]) -> list[pb.EventOutcome]:
        started = away_since = time.monotonic()
        pause = POLL_SECONDS
        while True:
            try:
                answer = self._stub.BatchIngestEvents(pb.BatchIngestEventsRequest(events=events), timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                asked = self._asked_to_wait(error)
                self._was_there |= not nobody_answers(error)
                # A service that never was there is not on its way back: say so at once.
                if _code(error) not in _AGAIN or not self._was_there:
                    raise
                now = time.monotonic()
                if asked is not None:
                    away_since = now
                if now > away_since + PATIENCE_SECONDS or now > started + REFUSED_SECONDS:
                    raise
                if self.stop.wait(max(pause, asked or 0.0)):
                    raise
                pause = min(2 * pause, 5.0)
            else:
                self._was_there = True
                return list(answer.outcomes)

    def _asked_to_wait(self, error: grpc.RpcError) -> float | None:
        """Returns for how many seconds the service asks to wait; None when it does not."""
        asked = retry_seconds(error)
        if asked is not None:
            self._say(error.details() or "")
        return asked

    def _say(self, reason: str) -> None:
        # It is acquired by the first of all threads, and never given back.
        if self._was_refused.acquire(blocking=False):
            self._on_refusal(reason)


def _batches(lines: Iterable[Line], limit: int) -> Iterator[_Batch]:
    batch = _Batch()
    for line in lines:
        size = line.event.ByteSize() + 8 if line.event is not None else 0
        if size > MESSAGE_BYTES:
            line, size = Line(line.number, None, f"has {size:,} bytes, at most {MESSAGE_BYTES:,} can be sent"), 0
        if len(batch.lines) == limit or batch.size + size > MESSAGE_BYTES:
            yield batch
            batch = _Batch()
        batch.add(line, size)
    if batch.lines:
        yield batch


def _count(totals: Totals, batch: _Batch, outcomes: list[pb.EventOutcome]) -> None:
    answers = iter(outcomes)
    for line in batch.lines:
        if line.event is None:
            totals.reject(line.number, line.flaw or "")
            continue
        answer = next(answers)
        if answer.outcome == pb.OUTCOME_ACCEPTED:
            totals.accepted += 1
        elif answer.outcome == pb.OUTCOME_DUPLICATE:
            totals.duplicate += 1
        else:
            totals.reject(line.number, answer.message)


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    return error.code()
