"""Batches of lines that fit into one call, and the totals of what the service did with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from leadscore.ingest.v1 import ingest_pb2 as pb

from cli.events.lines import Line

MAX_BATCH_BYTES = 1000 * 1024
"""Largest batch, a little below the 1 MiB that a server accepts."""
MAX_LISTED = 10
"""Maximum number of rejections, of conflicts and of warnings that are listed."""


@dataclass(slots=True)
class Totals:
    """The outcomes so far.

    `rejections` are the first rejected lines and the last one, which tells where reading a damaged file ended.
    `conflicts` are the same of the lines whose event id belongs to another event. Both have line number and reason.
    `shortened` counts the accepted and duplicate events that lost a part of their properties. `warned` counts those
    with an id or a type that may look like another one; `warnings` has the first of these, and the last one.
    """

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    shortened: int = 0
    warned: int = 0
    seconds: float = 0.0
    rejections: list[tuple[int, str]] = field(default_factory=list)
    conflicts: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """The number of lines counted so far."""
        return self.accepted + self.duplicate + self.conflict + self.rejected

    def add(self, batch: "Batch", outcomes: Iterable[pb.EventOutcome]) -> None:
        """Counts a batch; `outcomes` has one item per event of it, in order."""
        remaining = iter(outcomes)
        for line in batch.lines:
            if line.event is None:
                self._reject(line.number, line.flaw or "")
            else:
                self._count(line.number, next(remaining))

    def _count(self, line: int, answer: pb.EventOutcome) -> None:
        self.shortened += answer.HasField("shortening")
        if answer.warning:
            self.warned += 1
            _keep(self.warnings, line, answer.warning)
        if answer.outcome == pb.OUTCOME_ACCEPTED:
            self.accepted += 1
        elif answer.outcome == pb.OUTCOME_DUPLICATE:
            self.duplicate += 1
        elif answer.reason == pb.ERROR_REASON_EVENT_ID_CONFLICT:
            self.conflict += 1
            _keep(self.conflicts, line, answer.message)
        else:
            self._reject(line, answer.message)

    def _reject(self, line: int, reason: str) -> None:
        self.rejected += 1
        _keep(self.rejections, line, reason)


def _keep(lines: list[tuple[int, str]], line: int, reason: str) -> None:
    del lines[MAX_LISTED - 1 :]
    lines.append((line, reason))


@dataclass(slots=True)
class Batch:
    """Consecutive lines of the file. Those that are events are sent together; `size` is their bytes."""

    lines: list[Line] = field(default_factory=list)
    events: list[pb.Event] = field(default_factory=list)
    size: int = 0

    def add(self, line: Line, size: int) -> None:
        """Adds a line; `size` is the number of bytes of its event."""
        self.lines.append(line)
        if line.event is not None:
            self.events.append(line.event)
            self.size += size


def batches(lines: Iterable[Line], limit: int) -> Iterator[Batch]:
    """Yields the lines in batches of at most `limit` lines and `MAX_BATCH_BYTES` bytes."""
    batch = Batch()
    for line in lines:
        size = line.event.ByteSize() + 8 if line.event is not None else 0
        if size > MAX_BATCH_BYTES:
            line, size = Line(line.number, None, f"has {size:,} bytes, must have at most {MAX_BATCH_BYTES:,}"), 0
        if len(batch.lines) == limit or batch.size + size > MAX_BATCH_BYTES:
            yield batch
            batch = Batch()
        batch.add(line, size)
    if batch.lines:
        yield batch
