"""The rows of `score_changes`: what one transaction did to one lead, from scoring to automation and intelligence.

Guarantee: `ScoreChangeRow.from_document` reads every version up to `CONTRACT.schema_version`;
`tests/contracts/examples` holds a document of each. The inbox adds its own fields (`partition`, `state`,
`accept_time`), see `shared.inbox.collection`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared.inbox.contract import InboxContract

CONTRACT = InboxContract("score_changes", done="done", schema_version=1, consumer="automation_service", expires=True)


class ChangeEvent(NamedTuple):
    """An event that did something to a lead; see `EventRow`."""

    event_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any]


class Passage(NamedTuple):
    """What an event, a run of decay ticks, a publication or a correction did to a lead.

    `scores` and `stages` are what the lead passed through, as in `ScoreChangeRow`. `events` are the events that did it:
    several if they came late, and so had their effect together; none if something else did it.
    """

    scores: tuple[int, ...]
    stages: tuple[str, ...]
    events: tuple[ChangeEvent, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Returns the passage as a part of the row."""
        events = [event._asdict() for event in self.events]
        return {"scores": self.scores, "stages": self.stages, "events": events}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Passage":
        """Returns the passage that a part of a row holds."""
        events = tuple(ChangeEvent(**event) for event in document["events"])
        return cls(tuple(document["scores"]), tuple(document["stages"]), events)


class ScoreChangeRow(NamedTuple):
    """What one transaction did to one lead.

    `change_id` is the `_id` of the document, and unique for a lead and a `sequence`. `sequence` is that of the last
    history entry that the transaction appended. `scores` (points) and `stages` are all values that the lead passed
    through, from the first to the last, without consecutive duplicates. `event_types` are the types of the scored
    events, and `kinds` the kinds of the history entries, both sorted.

    `passages` are the parts of the change for which automations may fire, each with all that the lead passed through,
    so triggers do not depend on how events were batched. What historical events did to the lead, and what follows from
    them, is in none of them.

    `date_bucket` is the date of the commit (YYYY-MM-DD, in the configured time zone). `last_event_time` is None for a
    lead without events; `inactive_days` are the whole days from then to `record_time`, the time of the commit.
    """

    change_id: str
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
    date_bucket: str
    last_event_time: datetime | None
    inactive_days: int
    record_time: datetime
    passages: tuple[Passage, ...]

    def to_document(self) -> dict[str, Any]:
        """Returns the row in the newest version, without the fields of the inbox."""
        return {
            "_id": self.change_id,
            "schema_version": CONTRACT.schema_version,
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
            "date_bucket": self.date_bucket,
            "last_event_time": self.last_event_time,
            "inactive_days": self.inactive_days,
            "record_time": self.record_time,
            "passages": [passage.to_document() for passage in self.passages],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ScoreChangeRow":
        """Returns the row that a document holds."""
        return cls(
            document["_id"],
            document["lead_id"],
            document["sequence"],
            document["score_before"],
            document["score_after"],
            document["stage_before"],
            document["stage_after"],
            tuple(document["scores"]),
            tuple(document["stages"]),
            tuple(document["event_types"]),
            tuple(document["kinds"]),
            document["date_bucket"],
            document["last_event_time"],
            document["inactive_days"],
            document["record_time"],
            tuple(map(Passage.from_document, document["passages"])),
        )
