"""Domain ⇄ MongoDB documents: leads, checkpoints, entries, events and changes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from bson import DBRef

from scoring_service.domain.attributes import Attributes
from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.lead import Lead, LeadUpdate, Transition
from scoring_service.domain.lead_change import change_of, without_repeats
from scoring_service.domain.lead_state import LeadState, Usage
from scoring_service.domain.model import Event, Verdicts
from scoring_service.domain.timeline import Adjustment
from scoring_service.store.batches import AppendBatch
from shared import wire
from shared.contracts import score_changes
from shared.contracts.events import EventRow
from shared.contracts.score_changes import ChangeEvent, ScoreChange
from shared.contracts.score_changes import Transition as TransitionRow
from shared.inbox.bundles import pending_bundles
from shared.mongo import Document

NEVER = wire.EARLIEST
"""Stored as the event time of a lead without events; it sorts before all other times."""


def read_date(text: str) -> date | None:
    """Returns a date; the empty text means None and sorts before all dates."""
    return date.fromisoformat(text) if text else None


def write_date(day: date | None) -> str:
    """Returns a date as it is stored."""
    return day.isoformat() if day else ""


def read_event(row: Document) -> Event:
    """Returns an event from a row of the inbox `events`."""
    event = EventRow.from_document(row)
    return Event(event.event_id, event.event_type, event.event_time, event.properties, event.historical)


def read_lead(row: Document) -> Lead:
    """Returns a lead from its row."""
    return Lead(row["_id"], row["sequence"], read_state(row), row["publication"])


def write_lead(lead: Lead) -> Document:
    """Returns a lead's row, without its partition."""
    return {
        "_id": lead.lead_id,
        "sequence": lead.sequence,
        "publication": lead.publication,
        **write_state(lead.state),
    }


def read_state(row: Document) -> LeadState:
    """Returns a state from the row of its lead or of a checkpoint; the times of the row may be naive."""
    last_fact_time = _read_time(row["last_fact_time"])
    return LeadState(
        row["score"],
        row["score_at_last_fact"],
        row["fact_count"],
        row["event_count"],
        _read_time(row["first_event_time"]),
        _read_time(row["last_event_time"]),
        (last_fact_time, row["last_fact_id"]) if last_fact_time else None,
        read_date(row["decayed_through"]),
        row["deferred_ticks"],
        row["contributions"],
        {key: Usage(*used) for key, used in row["usage"].items()},
        row["group_points"],
        Attributes(_read_attributes(row["attributes"]), row["attributes_size"], row["attributes_left_out"]),
        row["last_event_historical"],
    )


def write_state(state: LeadState) -> Document:
    """Returns the fields of a state."""
    last_fact_time, last_fact_id = state.last_fact or (NEVER, "")
    return {
        "score": state.score,
        "score_at_last_fact": state.score_at_last_fact,
        "fact_count": state.fact_count,
        "event_count": state.event_count,
        "first_event_time": state.first_event_time or NEVER,
        "last_event_time": state.last_event_time or NEVER,
        "last_fact_time": last_fact_time,
        "last_fact_id": last_fact_id,
        "decayed_through": write_date(state.decayed_through),
        "deferred_ticks": state.deferred_ticks,
        "contributions": state.contributions,
        "usage": state.usage,
        "group_points": state.group_points,
        "attributes": state.attributes.values,
        "attributes_size": state.attributes.size,
        "attributes_left_out": state.attributes.left_out,
        "last_event_historical": state.last_event_historical,
    }


def write_checkpoint(lead_id: str, partition: int, state: LeadState) -> Document:
    """Returns the row of a checkpoint: the state of a lead right after one of its facts."""
    lead = {"partition": partition, "lead_id": lead_id}
    return {"_id": f"{lead_id}:{state.fact_count}", **lead, **write_state(state)}


def read_checkpoint(row: Document) -> LeadState | None:
    """Returns the state of a checkpoint; None if its id belongs to another lead or number of facts."""
    return read_state(row) if row["_id"] == f"{row['lead_id']}:{row['fact_count']}" else None


def read_fact(row: Document) -> Event | Adjustment:
    """Returns the fact from the row of an EVENT or an ADJUSTMENT; the times of the row may be naive."""
    time = row["event_time"].replace(tzinfo=UTC)
    if row["kind"] == "EVENT":
        properties, historical = row.get("properties", _NOTHING), row.get("historical", False)
        return Event(row["_id"], row["event_type"], time, properties, historical, _read_verdicts(row))
    return Adjustment(
        row["_id"],
        time,
        row["points"],
        row.get("reason", ""),
        row.get("actor", ""),
        row.get("target"),
    )


def read_entry(row: Document) -> Entry:
    """Returns an entry from its row."""
    return Entry(
        sequence=row["sequence"],
        kind=EntryKind(row["kind"]),
        event_id=row["_id"],
        event_time=row["event_time"],
        record_time=row["record_time"],
        model_version=row["model_version"],
        delta=row["delta"],
        score_before=row["score_before"],
        score_after=row["score_after"],
        stage_before=row["stage_before"],
        stage_after=row["stage_after"],
        event_type=row["event_type"],
        rule_id=row["rule_id"],
        points=row["points"],
        properties=row.get("properties", _NOTHING),
        reason=row.get("reason", ""),
        actor=row.get("actor", ""),
        target=row.get("target"),
        first_tick=read_date(row.get("first_tick", "")),
        last_tick=read_date(row.get("last_tick", "")),
        tick_count=row.get("tick_count", 0),
        historical=row.get("historical", False),
        verdicts=_read_verdicts(row),
    )


def write_entry(lead_id: str, partition: int, entry: Entry) -> Document:
    """Returns the row of an entry; its `_id` is the event id. Empty fields that only some kinds have are left out."""
    row: Document = {
        "_id": entry.event_id,
        "partition": partition,
        "lead_id": lead_id,
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "event_type": entry.event_type,
        "rule_id": entry.rule_id,
        "model_version": entry.model_version,
        "points": entry.points,
        "delta": entry.delta,
        "score_before": entry.score_before,
        "score_after": entry.score_after,
        "stage_before": entry.stage_before,
        "stage_after": entry.stage_after,
        "event_time": entry.event_time,
        "record_time": entry.record_time,
    }
    if entry.properties:
        row["properties"] = entry.properties
    if entry.historical:
        row["historical"] = True
    if entry.actor:
        row |= {"reason": entry.reason, "actor": entry.actor}
    if entry.target is not None:
        row["target"] = entry.target
    if entry.tick_count:
        row |= {
            "first_tick": write_date(entry.first_tick),
            "last_tick": write_date(entry.last_tick),
            "tick_count": entry.tick_count,
        }
    return row


def write_changes(batch: AppendBatch, partition_of: Callable[[str], int]) -> list[Document]:
    """Returns the rows that report the updates of a batch to automation: one per partition, unless it is large."""
    changes: dict[int, list[Document]] = defaultdict(list)
    traces = traceparents_of(batch.rows)
    for each in batch.updates:
        if each.entries:
            changes[partition_of(each.after.lead_id)].append(_write_change(each, batch, traces))
    common = score_changes.common_fields(batch.date_bucket, batch.record_time)
    return [
        common | row
        for partition, items in changes.items()
        for row in pending_bundles(score_changes.CONTRACT, partition, items, batch.record_time)
    ]


def traceparents_of(rows: Iterable[Document]) -> dict[str, str]:
    """Returns the traceparents of those of some rows of the inbox `events` that have one, by the id of the event."""
    return {row["_id"]: row["traceparent"] for row in rows if "traceparent" in row}


def _write_change(update: LeadUpdate, batch: AppendBatch, traces: Mapping[str, str]) -> Document:
    scores, stages, event_types, kinds, inactive_days = change_of(update, batch.record_time)
    return ScoreChange(
        lead_id=update.after.lead_id,
        sequence=update.after.sequence,
        score_before=scores[0],
        score_after=scores[-1],
        stage_before=stages[0],
        stage_after=stages[-1],
        scores=scores,
        stages=stages,
        event_types=event_types,
        kinds=kinds,
        inactive_days=inactive_days,
        date_bucket=batch.date_bucket,
        last_event_time=update.after.state.last_event_time,
        record_time=batch.record_time,
        transitions=tuple(_write_transition(each, traces) for each in update.transitions),
    ).to_document()


def _write_transition(transition: Transition, traces: Mapping[str, str]) -> TransitionRow:
    return TransitionRow(
        without_repeats([point.score for point in transition.path]),
        without_repeats([point.stage for point in transition.path]),
        tuple([ChangeEvent(*event[:4], traces.get(event.event_id, "")) for event in transition.events]),
    )


_NOTHING: Mapping[str, Any] = {}


def _read_verdicts(row: Document) -> Verdicts:
    # Whoever removes the properties of an event writes them: see `JudgeEvents` in `scoring.proto`.
    return tuple((version, rule_id) for version, rule_id in row.get("verdicts", ()))


def _read_attributes(attributes: Mapping[str, Any] | DBRef) -> Mapping[str, Any]:
    # The driver decodes attributes named `$ref` and `$id` as a DBRef. Ingest rejects `$ref`, but older rows have it.
    return dict(attributes.as_doc()) if isinstance(attributes, DBRef) else attributes


def _read_time(time: datetime) -> datetime | None:
    return None if time.year == NEVER.year else time.replace(tzinfo=UTC)
