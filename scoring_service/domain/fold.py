"""The fold: a lead's state is what its timeline makes of nothing.

The timeline holds the lead's events and adjustments in the order (event_time, event_id) and, between them, the decay
ticks: one a date, at midnight, before the steps of the same instant. Each is judged by the model in force at its time.
`fold` is the definition of a score; all else in this service is a faster way to the same result.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from scoring_service.domain.model import IDENTIFY, Limit, Period, Rule, ScoringModel
from scoring_service.domain.timeline import BEGINNING, JudgedEvent, Step, Timeline

MOST_ATTRIBUTES = 256
"""A lead keeps at most so many attributes; further names are left out, so that no lead outgrows its document."""
_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_THIRTY_DAYS = 30 * _DAY // _MILLISECOND


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


class Usage(NamedTuple):
    """How far a limit is used: the start of its period, and what the rule gave in it.

    `start` is a date's ordinal for a day, milliseconds since 1970 for 30 days, and 0 for ever.
    """

    start: int
    times: int
    points: int


@dataclass(frozen=True, slots=True)
class LeadState:
    """What a lead's timeline has made of it.

    `last_step` is the position of the last event or adjustment. `decayed_through` is the date of the last tick folded
    in, None for none. `owed` tells that later ticks would change the score before its last step: steps ran ahead of
    decay, with a silence between them. `contributions` are points per rule, after floor and ceiling, without decay.
    `usage` is kept per rule and period (`<rule>:<period>`), `group_points` per group.
    """

    score: int = 0
    event_count: int = 0
    first_event_time: datetime | None = None
    last_event_time: datetime | None = None
    last_step: tuple[datetime, str] | None = None
    decayed_through: date | None = None
    owed: bool = False
    contributions: Mapping[str, int] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    group_points: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def is_behind(self, step: Step, calendar: Calendar) -> bool:
        """Tells whether a step belongs before something that is folded in already: then it is late."""
        if self.last_step is not None and step.position < self.last_step:
            return True
        return self.decayed_through is not None and step.position[0] < calendar.midnight(self.decayed_through)

    def owes(self, through: date | None) -> bool:
        """Tells whether ticks up to a date would change the score before the last step."""
        return self.owed and through is not None and (self.decayed_through is None or self.decayed_through < through)

    def reaches(self, time: datetime, calendar: Calendar) -> bool:
        """Tells whether something that is folded in happened at a time or after it."""
        if self.last_step is not None and self.last_step[0] >= time:
            return True
        return self.decayed_through is not None and calendar.midnight(self.decayed_through) >= time


EMPTY = LeadState()


@dataclass(frozen=True, slots=True)
class Tick:
    """A decay tick that changes a score, with the model that lets it."""

    day: date
    score_before: int
    score_after: int
    model: ScoringModel


def evolve(calendar: Calendar, state: LeadState, step: Step) -> LeadState:
    """Returns the state after a step that belongs at the end of the timeline."""
    granted, usage, group_points = step.points, state.usage, state.group_points
    if isinstance(step, JudgedEvent) and step.rule is not None and (step.rule.limits or step.rule.group_id):
        granted, usage, group_points = _granted(calendar, state, step.rule, step.model, step.event.event_time)
    score = step.model.bounded(state.score + granted)
    effect = score - state.score
    contributions = state.contributions
    if effect:
        contributions = {**contributions, step.rule_id: contributions.get(step.rule_id, 0) + effect}
    if not isinstance(step, JudgedEvent):
        return replace(state, score=score, last_step=step.position, contributions=contributions)
    event = step.event
    return LeadState(
        score,
        state.event_count + 1,
        state.first_event_time or event.event_time,
        event.event_time,
        step.position,
        state.decayed_through,
        state.owed,
        contributions,
        usage,
        group_points,
        _merged(state.attributes, event.properties) if event.event_type == IDENTIFY else state.attributes,
    )


def ticks(timeline: Timeline, calendar: Calendar, state: LeadState, through: date) -> Iterator[Tick]:
    """Yields the ticks after `state.decayed_through` and after the last step, up to `through`, that change the score.

    A tick has an effect once the grace period since the last event is over, by the model in force at the tick.
    """
    if state.last_event_time is None or state.last_step is None:
        return
    score, following = state.score, calendar.date_of(state.last_step[0]) + _DAY
    if state.decayed_through is not None:
        following = max(following, state.decayed_through + _DAY)
    for begin, end, model in timeline.spans():
        day = max(_first_tick(model, calendar, state.last_event_time), following)
        if begin != BEGINNING:
            day = max(day, _first_midnight(calendar, begin))
        while day <= through and (end is None or calendar.midnight(day) < end):
            after = model.decayed(score)
            if after == score:
                break
            yield Tick(day, score, after, model)
            score, day = after, day + _DAY
            following = day


def advance(timeline: Timeline, calendar: Calendar, state: LeadState, through: date | None) -> LeadState:
    """Returns the state after all ticks up to a date."""
    if through is None or (state.decayed_through is not None and through <= state.decayed_through):
        return state
    score = state.score
    for tick in ticks(timeline, calendar, state, through):
        score = tick.score_after
    return replace(state, score=score, decayed_through=through)


def fold(
    timeline: Timeline, calendar: Calendar, steps: Iterable[Step], through: date | None, start: LeadState = EMPTY
) -> LeadState:
    """Returns the state that steps, in the order of their positions, and all ticks up to a date make of a start."""
    return advance(timeline, calendar, follow(timeline, calendar, steps, through, start), through)


def follow(
    timeline: Timeline, calendar: Calendar, steps: Iterable[Step], through: date | None, start: LeadState
) -> LeadState:
    """Returns the state right after the last of the steps: `fold` without the ticks that come after it."""
    state, grace = start, timeline.shortest_grace
    for step in steps:
        # Within the grace period no tick has an effect, and most steps are; asking first spares the calendar.
        if state.last_event_time is not None and step.position[0] - state.last_event_time >= grace:
            state = _after_silence(timeline, calendar, state, calendar.date_of(step.position[0]), through)
        state = evolve(calendar, state, step)
    return state


def silences(timeline: Timeline, calendar: Calendar, steps: Sequence[Step]) -> Iterator[tuple[int, date]]:
    """Yields the place of each step before which ticks may have an effect, and its date: that of the last of them."""
    grace, last_event_time = timeline.shortest_grace, None
    for place, (earlier, later) in enumerate(pairwise(steps), start=1):
        if isinstance(earlier, JudgedEvent):
            last_event_time = earlier.event.event_time
        if last_event_time is not None and later.position[0] - last_event_time >= grace:
            yield place, calendar.date_of(later.position[0])


def _after_silence(
    timeline: Timeline, calendar: Calendar, state: LeadState, day: date, through: date | None
) -> LeadState:
    if through is not None:
        state = advance(timeline, calendar, state, min(through, day))
    if next(ticks(timeline, calendar, state, day), None) is None:
        return state
    return replace(state, owed=True)


def _granted(
    calendar: Calendar, state: LeadState, rule: Rule, model: ScoringModel, time: datetime
) -> tuple[int, Mapping[str, Usage], Mapping[str, int]]:
    """Returns what limits and caps leave of a rule's points, and what is used of them then."""
    granted = rule.points
    used = {f"{rule.rule_id}:{limit.period}": _current(calendar, state, rule, limit, time) for limit in rule.limits}
    for limit in rule.limits:
        _, times, points = used[f"{rule.rule_id}:{limit.period}"]
        if limit.most_times is not None and times >= limit.most_times:
            granted = 0
        if limit.most_points is not None:
            room = max(0, limit.most_points - points)
            granted = max(-room, min(room, granted))
    groups = model.groups_of(rule)
    for group in groups:
        granted = min(granted, max(0, group.cap - state.group_points.get(group.group_id, 0)))
    if not granted:
        return 0, state.usage, state.group_points
    spent = {key: Usage(start, times + 1, points + abs(granted)) for key, (start, times, points) in used.items()}
    totals = {group.group_id: state.group_points.get(group.group_id, 0) + granted for group in groups}
    return granted, {**state.usage, **spent}, {**state.group_points, **totals}


def _current(calendar: Calendar, state: LeadState, rule: Rule, limit: Limit, time: datetime) -> Usage:
    """Returns what is used of a limit in the period that an event of this time belongs to."""
    used = state.usage.get(f"{rule.rule_id}:{limit.period}")
    match limit.period:
        case Period.EVER:
            return used or Usage(0, 0, 0)
        case Period.DAY:
            start = calendar.date_of(time).toordinal()
            return used if used and used.start == start else Usage(start, 0, 0)
        case Period.THIRTY_DAYS:
            now = (time - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND
            return used if used and now < used.start + _THIRTY_DAYS else Usage(now, 0, 0)


def _first_tick(model: ScoringModel, calendar: Calendar, last_event_time: datetime) -> date:
    return _first_midnight(calendar, last_event_time + model.grace)


def _first_midnight(calendar: Calendar, time: datetime) -> date:
    """Returns the first date that begins at a time or after it."""
    day = calendar.date_of(time)
    return day if calendar.midnight(day) >= time else day + _DAY


def _merged(attributes: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    merged = dict(attributes)
    for name in sorted(more):
        if name in merged or len(merged) < MOST_ATTRIBUTES:
            merged[name] = more[name]
    return merged
