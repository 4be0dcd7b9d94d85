"""Limits and caps: how many of a rule's points a lead still gets."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scoring_service.domain.calendar import DAY, Calendar
from scoring_service.domain.lead_state import LeadState, Usage
from scoring_service.domain.model import Period, Rule, ScoringModel

_MILLISECOND = timedelta(milliseconds=1)
_THIRTY_DAYS = 30 * DAY // _MILLISECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNUSED = Usage(0, 0, 0)


class Granted(NamedTuple):
    """The points granted, and the usage of limits and groups after them."""

    points: int
    usage: Mapping[str, Usage]
    group_points: Mapping[str, int]


def grant(calendar: Calendar, state: LeadState, rule: Rule, model: ScoringModel, time: datetime) -> Granted:
    """Applies the limits of a rule, then the caps of its groups, to an event at `time`.

    A limit bounds the magnitude of the points or the number of times. A cap bounds the total points of a group's rules.
    An event that gets no points uses nothing of them.
    """
    points, usage, group_points = rule.points, state.usage, state.group_points
    used: dict[str, Usage] = {}
    for key, limit in rule.limits_by_key:
        used[key] = current = _current_usage(calendar, usage.get(key), limit.period, time)
        if limit.max_times is not None and current.times >= limit.max_times:
            points = 0
        if limit.max_points is not None:
            room = max(0, limit.max_points - current.points)
            points = max(-room, min(room, points))
    groups = model.groups_of(rule)
    for group in groups:
        points = min(points, max(0, group.cap - group_points.get(group.group_id, 0)))
    if not points:
        return Granted(0, usage, group_points)
    if used:
        usage = {**usage, **{key: each.plus(points) for key, each in used.items()}}
    if groups:
        totals = {group.group_id: group_points.get(group.group_id, 0) + points for group in groups}
        group_points = {**group_points, **totals}
    return Granted(points, usage, group_points)


def _current_usage(calendar: Calendar, used: Usage | None, period: Period, time: datetime) -> Usage:
    """Returns the usage of a limit in the period that a time belongs to; `used` is the usage so far."""
    if period is Period.EVER:
        return used or _UNUSED
    if period is Period.DAY:
        start = calendar.date_of(time).toordinal()
        return used if used and used.start == start else Usage(start, 0, 0)
    now = (time - _EPOCH) // _MILLISECOND
    return used if used and now < used.start + _THIRTY_DAYS else Usage(now, 0, 0)
