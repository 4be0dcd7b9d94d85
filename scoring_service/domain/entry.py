"""The entries of a history. They are appended and never changed."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple

from scoring_service.domain.model import Event, Verdicts
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
        """Whether the entry records a fact: an event or an adjustment."""
        return self in (EntryKind.EVENT, EntryKind.ADJUSTMENT)


_NOTHING: Mapping[str, Any] = {}


class Entry(NamedTuple):
    """One change of a score. `points` is what the rule gave, `delta` how much the score changed; both are in points.

    An EVENT entry has the id, type, time and properties of its event, so that the event can be judged again; `verdicts`
    replace properties that have been removed. Entries of other kinds have generated ids: `adjustment:<request>`,
    `retraction:<event>`, otherwise `<kind>:<sequence>:<lead>`. A retraction has the type and the time of the event that
    it removes.

    `historical` is that of the event. `target` is the score that an adjustment set, if it set one. A DECAY entry names
    its first and its last tick and their number.
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
    properties: Mapping[str, Any] = _NOTHING
    reason: str = ""
    actor: str = ""
    target: int | None = None
    first_tick: date | None = None
    last_tick: date | None = None
    tick_count: int = 0
    historical: bool = False
    verdicts: Verdicts = ()

    @property
    def retracted_event_id(self) -> str:
        """The id of the event that a RETRACTION removes."""
        return self.event_id.removeprefix(RETRACTION_PREFIX)

    @property
    def event(self) -> Event:
        """The event that an EVENT entry records."""
        return Event(self.event_id, self.event_type, self.event_time, self.properties, self.historical, self.verdicts)

    @property
    def fact(self) -> Event | Adjustment:
        """The fact that an EVENT or an ADJUSTMENT entry records."""
        if self.kind is EntryKind.EVENT:
            return self.event
        return Adjustment(self.event_id, self.event_time, self.points, self.reason, self.actor, self.target)


def facts_of(entries: Iterable[Entry], as_of: datetime | None = None) -> list[Event | Adjustment]:
    """Returns the events and adjustments that a lead's entries record, without retracted ones.

    With `as_of`, facts count by their event time and retractions by their record time.
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
