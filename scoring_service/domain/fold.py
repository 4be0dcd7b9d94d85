"""The fold: a lead's state is what its timeline makes of nothing.

The timeline holds the lead's events in the order (event_time, event_id) and, between them, the decay ticks: one a date,
at midnight, before the events of the same instant. `fold` is the definition of a score; all else in this service is a
faster way to the same result.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from scoring_service.domain.model import ResolvedEvent, ScoringModel

MOST_ATTRIBUTES = 256
"""A lead keeps at most so many attributes; further names are left out, so that no lead outgrows its document."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Dates in a time zone. A date's tick falls on the instant at which it begins there."""

    zone: ZoneInfo

    def date_of(self, time: datetime) -> date:
        """Returns the date on which a time falls."""
        return time.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Returns the instant at which a date begins, in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class LeadState:
    """What a lead's timeline has made of it.

    `decayed_through` is the date of the last tick folded in, None for none. `owed` tells that later ticks would change
    the score before its last event: events ran ahead of decay, with a silence between them. `contributions` are points
    per rule, after floor and ceiling, without decay.
    """

    score: int = 0
    event_count: int = 0
    first_event_time: datetime | None = None
    last_event_time: datetime | None = None
    last_event_id: str = ""
    decayed_through: date | None = None
    owed: bool = False
    contributions: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def is_behind(self, event: ResolvedEvent, calendar: Calendar) -> bool:
        """Tells whether an event belongs before something that is folded in already: then it is late."""
        if self.last_event_time is None:
            return False
        if event.position < (self.last_event_time, self.last_event_id):
            return True
        return self.decayed_through is not None and event.event_time < calendar.midnight(self.decayed_through)


EMPTY = LeadState()


@dataclass(frozen=True, slots=True)
class Tick:
    """A decay tick that changes a score."""

    day: date
    score_before: int
    score_after: int


def evolve(model: ScoringModel, state: LeadState, event: ResolvedEvent) -> LeadState:
    """Returns the state after an event that belongs at the end of the timeline."""
    score = model.bounded(state.score + event.points)
    effect = score - state.score
    return LeadState(
        score,
        state.event_count + 1,
        state.first_event_time or event.event_time,
        event.event_time,
        event.event_id,
        state.decayed_through,
        state.owed,
        {**state.contributions, event.rule_id: state.contributions.get(event.rule_id, 0) + effect}
        if effect
        else state.contributions,
        _merged(state.attributes, event.attributes) if event.attributes else state.attributes,
    )


def ticks(model: ScoringModel, calendar: Calendar, state: LeadState, through: date) -> Iterator[Tick]:
    """Yields the ticks after `state.decayed_through`, up to `through`, that change the score.

    A tick leaves floor(score × (100 − percent) / 100), in integers, once the grace period since the last event is over;
    so every score that decays reaches the floor (or 0, when the floor lies below) in the end.
    """
    if state.last_event_time is None:
        return
    day = _first_tick(model, calendar, state.last_event_time)
    if state.decayed_through is not None:
        day = max(day, state.decayed_through + _DAY)
    score, lowest = state.score, max(model.score_floor, 0)
    while day <= through and score > lowest:
        after = max(score * (100 - model.decay.percent_per_day) // 100, lowest)
        if after == score:
            return
        yield Tick(day, score, after)
        score, day = after, day + _DAY


def advance(model: ScoringModel, calendar: Calendar, state: LeadState, through: date | None) -> LeadState:
    """Returns the state after all ticks up to a date."""
    if through is None or (state.decayed_through is not None and through <= state.decayed_through):
        return state
    score = state.score
    for tick in ticks(model, calendar, state, through):
        score = tick.score_after
    return replace(state, score=score, decayed_through=through)


def fold(
    model: ScoringModel,
    calendar: Calendar,
    events: Iterable[ResolvedEvent],
    through: date | None,
    start: LeadState = EMPTY,
) -> LeadState:
    """Returns the state that events, in the order of their positions, and all ticks up to a date make of a start."""
    return advance(model, calendar, follow(model, calendar, events, through, start), through)


def follow(
    model: ScoringModel,
    calendar: Calendar,
    events: Iterable[ResolvedEvent],
    through: date | None,
    start: LeadState,
) -> LeadState:
    """Returns the state right after the last of the events: `fold` without the ticks that come after it."""
    state = start
    for event in events:
        # Within the grace period no tick has an effect, and most events are; asking first spares the calendar.
        if state.last_event_time is not None and event.event_time - state.last_event_time >= model.decay.grace:
            state = _after_silence(model, calendar, state, calendar.date_of(event.event_time), through)
        state = evolve(model, state, event)
    return state


def silences(model: ScoringModel, calendar: Calendar, events: Sequence[ResolvedEvent]) -> Iterator[tuple[date, date]]:
    """Yields the first and the last date of each run of ticks that lies between two of the events."""
    for earlier, later in pairwise(events):
        if later.event_time - earlier.event_time >= model.decay.grace:
            yield _first_tick(model, calendar, earlier.event_time), calendar.date_of(later.event_time)


def _after_silence(
    model: ScoringModel, calendar: Calendar, state: LeadState, day: date, through: date | None
) -> LeadState:
    if through is not None:
        state = advance(model, calendar, state, min(through, day))
    if next(ticks(model, calendar, state, day), None) is None:
        return state
    return replace(state, owed=True)


def _first_tick(model: ScoringModel, calendar: Calendar, last_event_time: datetime) -> date:
    quiet_since = last_event_time + model.decay.grace
    day = calendar.date_of(quiet_since)
    return day if calendar.midnight(day) >= quiet_since else day + _DAY


def _merged(attributes: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    merged = dict(attributes)
    for name in sorted(more):
        if name in merged or len(merged) < MOST_ATTRIBUTES:
            merged[name] = more[name]
    return merged
