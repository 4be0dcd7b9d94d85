"""Rows ⇄ domain: how leads, entries, events, changes and models are written down in MongoDB."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from itertools import chain, groupby
from typing import TypeVar

from scoring_service.domain.fold import LeadState
from scoring_service.domain.history import Entry, EntryKind, Lead, Recorded
from scoring_service.domain.model import (
    Decay,
    Event,
    NextAction,
    ResolvedEvent,
    Rule,
    ScoringModel,
    Stage,
    Velocity,
)
from scoring_service.ports import Commit
from shared.mongo import Document

T = TypeVar("T")


def read_date(text: str) -> date | None:
    """Returns a date; the empty text stands for none and sorts before all others."""
    return date.fromisoformat(text) if text else None


def read_event(row: Document) -> Event:
    """Returns an event from a row of the inbox `events`."""
    return Event(row["_id"], row["event_type"], row["event_time"], row.get("properties"))


def read_resolved(row: Document) -> ResolvedEvent:
    """Returns the event that an EVENT entry records, as it was judged."""
    return ResolvedEvent(
        row["_id"],
        row["event_type"],
        row["event_time"],
        row["rule_id"],
        row["points"],
        row["model_version"],
        row.get("attributes"),
    )


def read_lead(row: Document) -> Lead:
    """Returns a lead from its row."""
    state = LeadState(
        score=row["score"],
        event_count=row["event_count"],
        first_event_time=row["first_event_time"],
        last_event_time=row["last_event_time"],
        last_event_id=row["last_event_id"],
        decayed_through=read_date(row["decayed_through"]),
        owed=row["owed"],
        contributions=row["contributions"],
        attributes=row["attributes"],
    )
    return Lead(row["_id"], row["sequence"], state)


def write_lead(lead: Lead) -> Document:
    """Returns a lead's row."""
    state = lead.state
    return {
        "_id": lead.lead_id,
        "sequence": lead.sequence,
        "score": state.score,
        "event_count": state.event_count,
        "first_event_time": state.first_event_time,
        "last_event_time": state.last_event_time,
        "last_event_id": state.last_event_id,
        "decayed_through": state.decayed_through.isoformat() if state.decayed_through else "",
        "owed": state.owed,
        "contributions": state.contributions,
        "attributes": state.attributes,
    }


def read_entry(row: Document) -> Entry:
    """Returns an entry from its row."""
    return Entry(
        sequence=row["sequence"],
        kind=EntryKind(row["kind"]),
        event_id=row["_id"],
        event_time=row["event_time"],
        model_version=row["model_version"],
        delta=row["delta"],
        score_before=row["score_before"],
        score_after=row["score_after"],
        stage_before=row["stage_before"],
        stage_after=row["stage_after"],
        event_type=row["event_type"],
        rule_id=row["rule_id"],
        points=row["points"],
        attributes=row.get("attributes"),
    )


def write_entry(lead_id: str, entry: Entry, record_time: datetime) -> Document:
    """Returns an entry's row; its `_id` is the event's id."""
    row: Document = {
        "_id": entry.event_id,
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
        "record_time": record_time,
    }
    if entry.attributes is not None:
        row["attributes"] = entry.attributes
    return row


def write_change(recorded: Recorded, commit: Commit) -> Document:
    """Returns the row that tells automation what a transaction did to a lead, without the inbox's own fields."""
    first, last = recorded.entries[0], recorded.entries[-1]
    lead_id, last_event_time = recorded.after.lead_id, recorded.after.state.last_event_time
    return {
        "_id": f"{lead_id}:{last.sequence}",
        "lead_id": lead_id,
        "sequence": last.sequence,
        "score_before": first.score_before,
        "score_after": last.score_after,
        "stage_before": first.stage_before,
        "stage_after": last.stage_after,
        # All that the lead went through, not only where it ended: how events were batched must decide nothing.
        "scores": _path(first.score_before, (entry.score_after for entry in recorded.entries)),
        "stages": _path(first.stage_before, (entry.stage_after for entry in recorded.entries)),
        "event_types": sorted({entry.event_type for entry in recorded.entries if entry.event_type}),
        "date_bucket": commit.date_bucket,
        "last_event_time": last_event_time,
        "inactive_days": max(0, (commit.record_time - last_event_time).days) if last_event_time else 0,
        "record_time": commit.record_time,
    }


def _path(start: T, steps: Iterable[T]) -> list[T]:
    return [value for value, _ in groupby(chain([start], steps))]


def read_model(row: Document) -> ScoringModel:
    """Returns a version of the model from its row."""
    return ScoringModel(
        version=row["_id"],
        rules=tuple(Rule(**rule) for rule in row["rules"]),
        score_floor=row["score_floor"],
        score_ceiling=row["score_ceiling"],
        stages=tuple(Stage(**stage) for stage in row["stages"]),
        decay=Decay(timedelta(seconds=row["decay"]["grace_seconds"]), row["decay"]["percent_per_day"]),
        velocity=Velocity(timedelta(seconds=row["velocity"]["window_seconds"]), row["velocity"]["weight"]),
        idle=timedelta(seconds=row["idle_seconds"]),
        next_actions=tuple(
            NextAction(action["next_action"], tuple(action["stages"]), action["minimum_velocity"], action["risk"])
            for action in row["next_actions"]
        ),
        churn_stages=tuple(row["churn_stages"]),
    )


def write_model(model: ScoringModel) -> Document:
    """Returns the row of a version of the model, without its `_id`, the version; spans are in seconds."""
    return {
        "rules": [asdict(rule) for rule in model.rules],
        "score_floor": model.score_floor,
        "score_ceiling": model.score_ceiling,
        "stages": [asdict(stage) for stage in model.stages],
        "decay": {
            "grace_seconds": model.decay.grace.total_seconds(),
            "percent_per_day": model.decay.percent_per_day,
        },
        "velocity": {"window_seconds": model.velocity.window.total_seconds(), "weight": model.velocity.weight},
        "idle_seconds": model.idle.total_seconds(),
        "next_actions": [asdict(action) for action in model.next_actions],
        "churn_stages": list(model.churn_stages),
    }
