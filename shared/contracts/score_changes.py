"""The rows of `score_changes`: what one transaction did to leads, from scoring to automation and intelligence.

A row is a bundle: it holds the changes of up to 500 leads of one partition in `changes` (`shared.inbox.bundles`).

Guarantee: `ScoreChange.from_documents` reads every version up to `CONTRACT.schema_version`; `tests/contracts/examples`
holds a document of each. The inbox adds its own fields (`partition`, `state`, `accept_time`, `count`), see
`shared.inbox.collection`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from shared.inbox.contract import InboxContract

CONTRACT = InboxContract(
    "score_changes", done="done", schema_version=1, consumer="automation_service", expires=True, items="changes"
)


class ChangeEvent(NamedTuple):
    """An event that did something to a lead; see `EventRow`. A row has a `traceparent` only if it is set."""

    event_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any]
    traceparent: str = ""

    def to_document(self) -> dict[str, Any]:
        """Returns the event as a part of the row."""
        document = {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "event_time": self.event_time,
            "properties": self.properties,
        }
        if self.traceparent:
            document["traceparent"] = self.traceparent
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ChangeEvent":
        """Returns the event that a part of a row holds."""
        return cls._make((*_EVENT(document), document.get("traceparent", "")))


class Transition(NamedTuple):
    """What an event, a run of decay ticks, a publication or a correction did to a lead.

    `scores` and `stages` are what the lead passed through, as in `ScoreChange`. `events` are the events that did it:
    several if they came late, and so had their effect together; none if something else did it.
    """

    scores: tuple[int, ...]
    stages: tuple[str, ...]
    events: tuple[ChangeEvent, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Returns the transition as a part of the row."""
        events = [event.to_document() for event in self.events]
        return {"scores": self.scores, "stages": self.stages, "events": events}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Transition":
        """Returns the transition that a part of a row holds."""
        events = tuple(map(ChangeEvent.from_document, document["events"]))
        return cls(tuple(document["scores"]), tuple(document["stages"]), events)


class ScoreChange(NamedTuple):
    """What one transaction did to one lead.

    `sequence` is that of the last history entry that the transaction appended, so a lead and a sequence identify a
    change. `scores` (points) and `stages` are all values that the lead passed through, from the first to the last,
    without consecutive duplicates. `event_types` are the types of the scored events, and `kinds` the kinds of the
    history entries, both sorted.

    `transitions` are the parts of the change for which automations may fire, each with everything that the lead passed
    through, so triggers do not depend on how events were batched. What historical events did to the lead, and what
    follows from them, is in none of them.

    `last_event_time` is None for a lead without events; `inactive_days` are the whole days from then to `record_time`,
    the time of the commit. `date_bucket` is the date of the commit (YYYY-MM-DD, in the configured time zone). All
    changes in a row have these two in common.
    """

    lead_id: str
    sequence: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    scores: tuple[int, ...]
    stages: tuple[str, ...]
    event_types: tuple[str, ...]
    kinds: tuple[str, ...]
    last_event_time: datetime | None
    inactive_days: int
    date_bucket: str
    record_time: datetime
    transitions: tuple[Transition, ...]

    def to_document(self) -> dict[str, Any]:
        """Returns the item of a row, without what all changes in the row have in common."""
        return {
            "lead_id": self.lead_id,
            "sequence": self.sequence,
            "score_before": self.score_before,
            "score_after": self.score_after,
            "stage_before": self.stage_before,
            "stage_after": self.stage_after,
            "scores": self.scores,
            "stages": self.stages,
            "event_types": self.event_types,
            "kinds": self.kinds,
            "last_event_time": self.last_event_time,
            "inactive_days": self.inactive_days,
            "transitions": [transition.to_document() for transition in self.transitions],
        }

    @classmethod
    def from_documents(cls, item: Mapping[str, Any], row: Mapping[str, Any]) -> "ScoreChange":
        """Returns the change that an item of a row holds."""
        return cls(
            item["lead_id"],
            item["sequence"],
            item["score_before"],
            item["score_after"],
            item["stage_before"],
            item["stage_after"],
            tuple(item["scores"]),
            tuple(item["stages"]),
            tuple(item["event_types"]),
            tuple(item["kinds"]),
            item["last_event_time"],
            item["inactive_days"],
            row["date_bucket"],
            row["record_time"],
            tuple(map(Transition.from_document, item["transitions"])),
        )


def common_fields(date_bucket: str, record_time: datetime) -> dict[str, Any]:
    """Returns what all changes of a transaction have in common, as fields of a row in the newest version."""
    return {"schema_version": CONTRACT.schema_version, "date_bucket": date_bucket, "record_time": record_time}


def changes_in(row: Mapping[str, Any]) -> Iterator[ScoreChange]:
    """Yields the changes that a row holds, in order; raises an error at a change that cannot be read."""
    return (ScoreChange.from_documents(item, row) for item in row[CONTRACT.items])


def lead_of(row: Mapping[str, Any]) -> str:
    """Returns the lead of a row with one change; empty if the change cannot be read."""
    try:
        return str(row[CONTRACT.items][0]["lead_id"])
    except (KeyError, IndexError, TypeError):
        return ""


_EVENT = itemgetter("event_id", "event_type", "event_time", "properties")
