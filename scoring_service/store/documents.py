"""Rows ⇄ domain: how leads, entries, events, changes, models and publications are written down in MongoDB."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import chain, groupby
from typing import Any, TypeVar

from bson import DBRef

from scoring_service import model_messages
from scoring_service.domain.fold import LeadState, Usage
from scoring_service.domain.history import Entry, EntryKind, Lead, Recorded
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Mode, Publication
from scoring_service.ports import Commit, StoredModel
from shared import plain, wire
from shared.mongo import Document
from shared.pb.scoring.v1 import scoring_pb2 as pb

T = TypeVar("T")
NEVER = wire.EARLIEST
"""Stands for the time of an event that a lead has not; it sorts before all others."""


def read_date(text: str) -> date | None:
    """Returns a date; the empty text stands for none and sorts before all others."""
    return date.fromisoformat(text) if text else None


def read_event(row: Document) -> Event:
    """Returns an event from a row of the inbox `events`."""
    return Event(row["_id"], row["event_type"], row["event_time"], row["properties"])


def read_lead(row: Document) -> Lead:
    """Returns a lead from its row."""
    state = LeadState(
        score=row["score"],
        event_count=row["event_count"],
        first_event_time=_read_time(row["first_event_time"]),
        last_event_time=_read_time(row["last_event_time"]),
        last_step=None if row["last_step_time"] == NEVER else (row["last_step_time"], row["last_step_id"]),
        decayed_through=read_date(row["decayed_through"]),
        owed=row["owed"],
        contributions=row["contributions"],
        usage={key: Usage(*used) for key, used in row["usage"].items()},
        group_points=row["group_points"],
        attributes=_read_attributes(row["attributes"]),
    )
    return Lead(row["_id"], row["sequence"], state, row["publication"])


def write_lead(lead: Lead) -> Document:
    """Returns a lead's row, without its partition."""
    state = lead.state
    last_step_time, last_step_id = state.last_step or (NEVER, "")
    return {
        "_id": lead.lead_id,
        "sequence": lead.sequence,
        "publication": lead.publication,
        "score": state.score,
        "event_count": state.event_count,
        "first_event_time": state.first_event_time or NEVER,
        "last_event_time": state.last_event_time or NEVER,
        "last_step_time": last_step_time,
        "last_step_id": last_step_id,
        "decayed_through": state.decayed_through.isoformat() if state.decayed_through else "",
        "owed": state.owed,
        "contributions": state.contributions,
        "usage": state.usage,
        "group_points": state.group_points,
        "attributes": state.attributes,
    }


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
    )


def write_entry(lead_id: str, entry: Entry) -> Document:
    """Returns an entry's row; its `_id` is the event's id. What an entry of its kind does not have is left out."""
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
        "record_time": entry.record_time,
    }
    if entry.properties:
        row["properties"] = entry.properties
    if entry.actor:
        row |= {"reason": entry.reason, "actor": entry.actor}
    if entry.target is not None:
        row["target"] = entry.target
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
        "event_types": sorted({entry.event_type for entry in recorded.entries if entry.kind is EntryKind.EVENT}),
        "kinds": sorted({entry.kind.value for entry in recorded.entries}),
        "date_bucket": commit.date_bucket,
        "last_event_time": last_event_time,
        "inactive_days": max(0, (commit.record_time - last_event_time).days) if last_event_time else 0,
        "record_time": commit.record_time,
    }


def _path(start: T, steps: Iterable[T]) -> list[T]:
    return [value for value, _ in groupby(chain([start], steps))]


def read_model(row: Document) -> StoredModel:
    """Returns a version of the model from its row."""
    message = plain.from_plain(row["model"], pb.ScoringModel)
    return StoredModel(model_messages.read_model(message, row["_id"]), row["create_time"])


def write_model(model: ScoringModel, create_time: datetime) -> Document:
    """Returns the row of a version of the model, which reads like a model file."""
    content = plain.to_plain(model_messages.write_model(model))
    return {"_id": model.version, "create_time": create_time, "model": content}


def read_publication(row: Document) -> Publication:
    """Returns a publication from its row."""
    return Publication(
        number=row["_id"],
        version=row["version"],
        base_version=row["base_version"],
        mode=Mode(row["mode"]),
        publish_time=row["publish_time"],
        actor=row["actor"],
        note=row["note"],
    )


def write_publication(publication: Publication) -> Document:
    """Returns the row of a publication that has not been rolled out."""
    return {
        "_id": publication.number,
        "version": publication.version,
        "base_version": publication.base_version,
        "mode": publication.mode.value,
        "publish_time": publication.publish_time,
        "actor": publication.actor,
        "note": publication.note,
        "rolled_out": False,
    }


_NOTHING: Mapping[str, Any] = {}


def _read_attributes(attributes: Mapping[str, Any] | DBRef) -> Mapping[str, Any]:
    # The driver takes attributes named `$ref` and `$id` for a reference. Ingest refuses `$ref` now; these came before.
    return dict(attributes.as_doc()) if isinstance(attributes, DBRef) else attributes


def _read_time(time: datetime) -> datetime | None:
    return None if time == NEVER else time
