"""Decay: the daily ticks that move the score of a lead once it has been inactive for longer than the grace period."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from scoring_service.domain.calendar import DAY, Calendar
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.timeline import BEGINNING, Timeline


class Due(NamedTuple):
    """Which leads ticks may change: those without an event after `inactive_since` whose date is before `through`.

    Leads with a negative score are among them only if `includes_negative`.
    """

    inactive_since: datetime
    through: date
    includes_negative: bool


class Tick(NamedTuple):
    """A decay tick that changes a score: its date, the score after it, and the model in force.

    It is `historical` if the event that the inactivity follows is.
    """

    day: date
    score: int
    model: ScoringModel
    historical: bool


def due(timeline: Timeline, calendar: Calendar, through: date) -> Due:
    """Returns which leads the ticks up to a date may change."""
    return Due(calendar.midnight(through) - timeline.shortest_grace, through, timeline.lifts_negative_scores)


def ticks(timeline: Timeline, calendar: Calendar, state: LeadState, through: date | None) -> Iterator[Tick]:
    """Yields the ticks after the last fact, up to a date, that have not been applied and change the score.

    A tick has an effect once the grace period of the model in force has passed since the last event. The cost grows
    with the number of ticks that have an effect, not with the length of the inactivity.
    """
    if through is None or state.last_event_time is None or state.last_fact is None:
        return
    score, next_day = state.score, calendar.date_of(state.last_fact[0]) + DAY
    if state.decayed_through is not None:
        next_day = max(next_day, state.decayed_through + DAY)
    for begin, end, model in timeline.spans():
        day = max(_first_tick(model, calendar, state.last_event_time), next_day)
        if begin != BEGINNING:
            day = max(day, calendar.first_midnight(begin))
        while day <= through and (end is None or calendar.midnight(day) < end):
            after = model.decayed(score)
            if after == score:
                break
            yield Tick(day, after, model, state.last_event_historical)
            score, day = after, day + DAY
            next_day = day


def _first_tick(model: ScoringModel, calendar: Calendar, last_event_time: datetime) -> date:
    return calendar.first_midnight(last_event_time + model.grace)
