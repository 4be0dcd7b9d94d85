"""The entries of a history: what is appended, and never changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Adjustment

RETRACTION_PREFIX = "retraction:"
ADJUSTMENT_PREFIX = "adjustment:"


class EntryKind(Enum):
    """What an entry records."""

    EVENT = "EVENT"
    DECAY = "DECAY"
    MODEL = "MODEL"
    ADJUSTMENT = "ADJUSTMENT"
    RETRACTION = "RETRACTION"
    RECALCULATION = "RECALCULATION"
    DECAY_RESET = "DECAY_RESET"

    @property
    def is_fact(self) -> bool:
        """Whether it moves the lead along its timeline."""
        return self in (EntryKind.EVENT, EntryKind.ADJUSTMENT)


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a score. `points` is what the rule gives, `delta` what that did; both in points.

    `event_id`, `event_type`, `event_time` and `properties` are the event's own, so that it can be judged again. Other
    kinds have an id of their own: `adjustment:<request>`, `retraction:<event>`, else `<kind>:<sequence>:<lead>`. A
    retraction has the type and the time of the event that it takes out.

    `target` is the score that an adjustment asked for, if it did. A DECAY entry names the first and the last of the
    ticks that it stands for, and their number.
    """

    sequence: int
    kind: EntryKind
    event_id: str
    event_time: datetime
    record_time: datetime
    model_version: int
    delta: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_type: str = ""
    rule_id: str = ""
    points: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    actor: str = ""
    target: int | None = None
    first_tick: date | None = None
    last_tick: date | None = None
    tick_count: int = 0

    @property
    def retracted_event_id(self) -> str:
        """The event that a RETRACTION takes out."""
        return self.event_id.removeprefix(RETRACTION_PREFIX)

    @property
    def fact(self) -> Event | Adjustment:
        """What an EVENT or an ADJUSTMENT says happened."""
        if self.kind is EntryKind.EVENT:
            return Event(self.event_id, self.event_type, self.event_time, self.properties)
        return Adjustment(self.event_id, self.event_time, self.points, self.reason, self.actor, self.target)


def facts_of(entries: Iterable[Entry], as_of: datetime | None = None) -> list[Event | Adjustment]:
    """Returns what happened to a lead by its entries: its events and adjustments without what was retracted.

    With `as_of` only what had happened by then: facts by their event time, retractions by their record time.
    """
    entries = list(entries)
    retracted = {
        entry.retracted_event_id
        for entry in entries
        if entry.kind is EntryKind.RETRACTION and (as_of is None or entry.record_time <= as_of)
    }
    return [
        entry.fact
        for entry in entries
        if entry.kind.is_fact and entry.event_id not in retracted and (as_of is None or entry.event_time <= as_of)
    ]
