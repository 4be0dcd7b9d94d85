"""The state of a lead, as a value: the result of folding its timeline."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from scoring_service.domain.attributes import NO_ATTRIBUTES, Attributes
from scoring_service.domain.calendar import DAY, Calendar
from scoring_service.domain.timeline import BEGINNING, Position

_NOTHING: Mapping[str, Any] = {}


class Usage(NamedTuple):
    """The usage of a limit: the start of its period, and what the rule gave in it.

    `start` is the ordinal of a date for a day, milliseconds since 1970 for 30 days, and 0 for ever.
    """

    start: int
    times: int
    points: int

    def plus(self, points: int) -> "Usage":
        """Returns the usage after one more event with these points."""
        return Usage(self.start, self.times + 1, self.points + abs(points))


class LeadState(NamedTuple):
    """The fold of a lead's facts and of the decay ticks up to `decayed_through` (None before the first decay run).

    `last_fact` is the position of the last event or adjustment, and `score_at_last_fact` the score right after it,
    before the ticks that followed. `deferred_ticks` says that ticks later than `decayed_through` come before the last
    fact and would change the score: facts with an inactivity gap between them arrived before decay ran.

    `contributions` holds points per rule after floor and ceiling and without decay, `usage` is kept per rule and period
    (`<rule>:<period>`), `group_points` per group. `last_event_historical` says whether the last event is
    historical, and with it the inactivity that follows.
    """

    score: int = 0
    score_at_last_fact: int = 0
    fact_count: int = 0
    event_count: int = 0
    first_event_time: datetime | None = None
    last_event_time: datetime | None = None
    last_fact: Position | None = None
    decayed_through: date | None = None
    deferred_ticks: bool = False
    contributions: Mapping[str, int] = _NOTHING
    usage: Mapping[str, Usage] = _NOTHING
    group_points: Mapping[str, int] = _NOTHING
    attributes: Attributes = NO_ATTRIBUTES
    last_event_historical: bool = False

    def is_ahead_of(self, position: Position, calendar: Calendar) -> bool:
        """Returns whether a fact at a position is late: it belongs before a fact or a tick that this state includes."""
        if self.last_fact is not None and position < self.last_fact:
            return True
        return self.decayed_through is not None and position[0] < calendar.midnight(self.decayed_through)

    def applies_deferred_ticks(self, through: date | None) -> bool:
        """Returns whether decay through a date changes the score before the last fact."""
        return (
            self.deferred_ticks
            and through is not None
            and (self.decayed_through is None or self.decayed_through < through)
        )

    def reaches(self, time: datetime, calendar: Calendar) -> bool:
        """Returns whether this state includes a fact or a tick at this time or later."""
        if self.last_fact is not None and self.last_fact[0] >= time:
            return True
        return self.decayed_through is not None and calendar.midnight(self.decayed_through) >= time

    def first_deferred(self, calendar: Calendar) -> Position:
        """Returns the position of the first tick that may have been deferred."""
        if self.decayed_through is None:
            return BEGINNING, ""
        return calendar.midnight(self.decayed_through + DAY), ""

    def at_last_fact(self) -> "LeadState":
        """Returns the state right after the last fact, which a checkpoint stores."""
        return self._replace(score=self.score_at_last_fact, decayed_through=None)

    def differs_only_in_counts(self, other: "LeadState") -> bool:
        """Returns whether two states after the same fact differ only in counts, so later facts change both alike."""
        return (
            (self.score, self.last_fact, self.deferred_ticks)
            == (
                other.score,
                other.last_fact,
                other.deferred_ticks,
            )
            and (self.last_event_time, self.last_event_historical)
            == (
                other.last_event_time,
                other.last_event_historical,
            )
            and (self.usage, self.group_points, self.attributes) == (other.usage, other.group_points, other.attributes)
        )


EMPTY = LeadState()


def plus(contributions: Mapping[str, int], more: Mapping[str, int]) -> Mapping[str, int]:
    """Adds points to the contributions of rules; rules with 0 points are left out."""
    added = dict(contributions)
    for rule_id, points in more.items():
        total = added.get(rule_id, 0) + points
        if total:
            added[rule_id] = total
        else:
            added.pop(rule_id, None)
    return added
