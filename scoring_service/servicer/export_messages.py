"""Converts what is exported to responses."""

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import messages
from scoring_service.domain.entry_query import LeadEntry
from shared import wire
from shared.contracts.events import EventRow
from shared.mongo import Document


def exported_entry(found: LeadEntry) -> pb.ScoreEntry:
    """Returns a history entry with the properties of its event."""
    message = messages.score_entry(found.lead_id, found.entry)
    if found.entry.properties:
        message.properties.CopyFrom(wire.to_struct(found.entry.properties))
    return message


def accepted_event(row: Document) -> pb.AcceptedEvent:
    """Returns an event from a row of the inbox `events`."""
    event = EventRow.from_document(row)
    sent, original, shortened = event.sent_time, event.original_event_time, event.shortened or {}
    return pb.AcceptedEvent(
        event_id=event.event_id,
        lead_id=event.lead_id,
        event_type=event.event_type,
        event_time=wire.to_timestamp(event.event_time),
        properties=wire.to_struct(event.properties),
        source=event.source,
        state=f"EVENT_STATE_{row['state'].upper()}",
        accept_time=wire.to_timestamp(row["accept_time"]),
        sent_time=wire.to_timestamp(sent) if sent else None,
        original_event_time=wire.to_timestamp(original) if original else None,
        historical=event.historical,
        cut_properties=shortened.get("cut", ()),
        properties_left_out=shortened.get("left_out", 0),
    )
