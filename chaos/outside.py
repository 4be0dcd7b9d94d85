"""Checks what clients observed against what is stored: I1, I2, I10, I11 and I15."""

from collections.abc import Iterable, Iterator, Mapping

import grpc

from chaos import payload
from chaos.journal import FinishedCall, Journal
from chaos.rows import Document
from chaos.violation import Violation

GRACE_SECONDS = 0.5
"""How many seconds after its deadline a call may end."""

_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}
_ONLY_OF_FAULTS = _TRANSIENT - {grpc.StatusCode.ABORTED}
"""Without ABORTED: two concurrent decay runs can conflict without any fault."""
_ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
}
"""Statuses that depend on the request alone, not on a fault."""


def invented(events: Iterable[Document], journal: Journal) -> Iterator[Violation]:
    """Yields stored events that no client sent (I2)."""
    for event in events:
        if event["_id"] not in journal.sent:
            yield Violation("I2", f"event {event['_id']!r} of lead {event['lead_id']!r} was never sent")


def kept(events: Mapping[str, Document], journal: Journal) -> Iterator[Violation]:
    """Yields acknowledged events that are lost, and events whose payload differs from the sent one (I1, I2, I11)."""
    erased = {event_id for event_id, event in journal.sent.items() if event.lead_id in journal.erased}
    for event_id in sorted(journal.acknowledged - events.keys() - erased):
        yield Violation("I1", f"event {event_id!r} was acknowledged and is not stored")
    for event_id, row in events.items():
        first = journal.sent.get(event_id) if event_id not in erased else None
        is_complete = "properties" in row  # a scored event without an entry is not; I3 reports it
        if first is not None and is_complete and payload.sent(first) != payload.stored(row):
            unoffered = "I1" if event_id in journal.acknowledged else "I2"
            invariant = "I11" if event_id in journal.refused else unoffered
            yield Violation(invariant, f"event {event_id!r} is stored with another payload than was sent")
    for sentence in journal.wrongly_accepted:
        yield Violation("I11", sentence)


def shown(entries: Mapping[tuple[str, int], Document], journal: Journal) -> Iterator[Violation]:
    """Yields entries that a response or a delivery showed and that are gone or different in the history (I10)."""
    for (lead_id, sequence), facts in journal.shown.items():
        if lead_id in journal.erased:
            continue
        entry = entries.get((lead_id, sequence))
        if entry is None:
            yield Violation("I10", f"entry {sequence} of lead {lead_id!r} was shown and is gone")
            continue
        for name, fact in facts.items():
            if entry[name] != fact:
                was = f"was shown with {name} {fact} and has {entry[name]}"
                yield Violation("I10", f"entry {sequence} of lead {lead_id!r} {was}")


def answers(calls: Iterable[FinishedCall]) -> Iterator[Violation]:
    """Yields calls that ended with a status that no client may get, or after their deadline (I15)."""
    for call in calls:
        when = "under a fault" if call.under_fault else "without a fault"
        progress = f" ({call.progress})" if call.progress else ""
        if call.code not in _TRANSIENT | _ANSWERS or (call.code in _ONLY_OF_FAULTS and not call.under_fault):
            yield Violation("I15", f"a call of {call.method} {when} ended with {call.code.name}{progress}")
        if call.seconds > call.deadline + GRACE_SECONDS:
            took = f"took {call.seconds:.2f} s, its deadline was {call.deadline:.2f} s"
            yield Violation("I15", f"a call of {call.method} {when} {took}{progress}")
