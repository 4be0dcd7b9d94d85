"""Turns the records of a request into events, sends them, and reports what became of them."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from leadscore.ingest.v1 import ingest_pb2 as pb

from gateway_service.domain.records import MAX_VALUES, Record, has_too_many_values
from gateway_service.domain.report import EVENT_INVALID, Deferral, Rejection, Report
from gateway_service.ports import EventIngest
from shared.mapping.converting import Converter
from shared.tasks import unhurried

MAX_EVENT_BYTES = 1_000_000
"""Largest event that fits into a call to the ingest service."""
NO_EVENT = "matches none of the events in the mapping"

_REASON_PREFIX = "ERROR_REASON_"
_OPTIONS = re.compile(r"--time-(zone|format)\b")
"""The options of `leadscore ingest` that a flaw recommends; here, they are the fields of a mapping file."""


class _Converted(NamedTuple):
    """A record, and the events that it becomes or the flaw that it has."""

    record: Record
    events: Sequence[pb.Event]
    flaw: str = ""


class _Sent(NamedTuple):
    """An event of a record, and its outcome."""

    record: Record
    outcome: pb.EventOutcome


async def deliver(
    records: Sequence[Record], converter: Converter, ingest: EventIngest, *, ignores_others: bool = False
) -> Report:
    """Sends the events of the records, and returns what became of them.

    The records without a flaw are sent even if others have one. With `ignores_others`, records that the mapping makes
    no event of are ignored; otherwise they are rejected.

    Raises:
        grpc.aio.AioRpcError: The ingest service did not answer for all of them, so they should be sent again.
    """
    converted = await unhurried(lambda record: _convert(record, converter), records)
    flaws = [Rejection(each.record.path, EVENT_INVALID, each.flaw) for each in converted if each.flaw]
    sources = [(each.record, event) for each in converted for event in each.events]
    outcomes = await ingest.send([event for _, event in sources]) if sources else []
    sent = [_Sent(record, outcome) for (record, _), outcome in zip(sources, outcomes, strict=True)]
    unmatched = [each.record for each in converted if not each.flaw and not each.events]
    if not ignores_others:
        flaws += [Rejection(record.path, EVENT_INVALID, NO_EVENT) for record in unmatched]
    return _report(sent, flaws, len(unmatched) if ignores_others else 0)


def _convert(record: Record, converter: Converter) -> _Converted:
    if record.flaw:
        return _Converted(record, (), record.flaw)
    if has_too_many_values(record.fields):
        return _Converted(record, (), f"has more than {MAX_VALUES:,} values")
    try:
        events = converter.events(record.fields, record.fields)
    except ValueError as flaw:
        return _Converted(record, (), _OPTIONS.sub(lambda option: f"{option[1]}:", str(flaw)))
    if any(event.ByteSize() > MAX_EVENT_BYTES for event in events):
        return _Converted(record, (), "properties: are too large")
    return _Converted(record, events)


def _report(sent: Sequence[_Sent], flaws: Iterable[Rejection], ignored: int) -> Report:
    refused = [each for each in sent if each.outcome.outcome == pb.OUTCOME_REJECTED and not _is_resent(each)]
    deferred = [each.outcome for each in sent if each.outcome.outcome == pb.OUTCOME_RETRY_LATER]
    return Report(
        accepted=sum(each.outcome.outcome == pb.OUTCOME_ACCEPTED for each in sent),
        duplicate=sum(each.outcome.outcome == pb.OUTCOME_DUPLICATE or _is_resent(each) for each in sent),
        ignored=ignored,
        rejections=(*flaws, *(_rejection(each) for each in refused)),
        deferral=max(map(_deferral, deferred), key=lambda each: each.seconds, default=None),
    )


def _is_resent(sent: _Sent) -> bool:
    """Returns whether an event differs from the stored one only in a time that we have given to both."""
    return not sent.record.has_own_time and list(sent.outcome.differing_fields) == ["event_time"]


def _rejection(sent: _Sent) -> Rejection:
    return Rejection(sent.record.path, _reason(sent.outcome), sent.outcome.message)


def _deferral(outcome: pb.EventOutcome) -> Deferral:
    return Deferral(_reason(outcome), outcome.message, outcome.retry_delay.ToTimedelta().total_seconds())


def _reason(outcome: pb.EventOutcome) -> str:
    return pb.ErrorReason.Name(outcome.reason).removeprefix(_REASON_PREFIX)
