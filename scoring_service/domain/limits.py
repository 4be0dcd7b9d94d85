"""Limits and caps: how many of a rule's points a lead still gets."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scoring_service.domain.calendar import DAY, Calendar
from scoring_service.domain.lead_state import LeadState, Usage
from scoring_service.domain.model import Limit, Period, Rule, ScoringModel

_MILLISECOND = timedelta(milliseconds=1)
_THIRTY_DAYS = 30 * DAY // _MILLISECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Granted(NamedTuple):
    """The points granted, and the usage of limits and groups after them."""

    points: int
    usage: Mapping[str, Usage]
    group_points: Mapping[str, int]


def grant(calendar: Calendar, state: LeadState, rule: Rule, model: ScoringModel, time: datetime) -> Granted:
    """Applies the limits of a rule, then the caps of its groups, to an event at `time`.

    A limit bounds the magnitude of the points or the number of times. A cap bounds the total points of a group's rules.
    """
    points = rule.points
    used = {
        f"{rule.rule_id}:{limit.period}": _current_usage(calendar, state, rule, limit, time) for limit in rule.limits
    }
    for limit in rule.limits:
        _, times, spent = used[f"{rule.rule_id}:{limit.period}"]
        if limit.max_times is not None and times >= limit.max_times:
            points = 0
        if limit.max_points is not None:
            room = max(0, limit.max_points - spent)
            points = max(-room, min(room, points))
    groups = model.groups_of(rule)
    for group in groups:
        points = min(points, max(0, group.cap - state.group_points.get(group.group_id, 0)))
    if not points:
        return Granted(0, state.usage, state.group_points)
    usage = {key: Usage(start, times + 1, spent + abs(points)) for key, (start, times, spent) in used.items()}
    totals = {group.group_id: state.group_points.get(group.group_id, 0) + points for group in groups}
    return Granted(points, {**state.usage, **usage}, {**state.group_points, **totals})


def _current_usage(calendar: Calendar, state: LeadState, rule: Rule, limit: Limit, time: datetime) -> Usage:
    """Returns the usage of a limit in the period that a time belongs to."""
    used = state.usage.get(f"{rule.rule_id}:{limit.period}")
    match limit.period:
        case Period.EVER:
            return used or Usage(0, 0, 0)
        case Period.DAY:
            start = calendar.date_of(time).toordinal()
            return used if used and used.start == start else Usage(start, 0, 0)
        case Period.THIRTY_DAYS:
            now = (time - _EPOCH) // _MILLISECOND
            return used if used and now < used.start + _THIRTY_DAYS else Usage(now, 0, 0)
