"""The fold: a lead's state is what its timeline makes of nothing.

The timeline holds the lead's facts, which are its events and adjustments, in the order (event_time, event_id), and
between them the decay ticks: one a date, at midnight, before the facts of the same instant. Each is judged by the
model in force at its time. `replay` is the definition of a score, and the only thing that folds.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from scoring_service.domain.attributes import merged
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick, ticks
from scoring_service.domain.lead_state import EMPTY, LeadState, plus
from scoring_service.domain.limits import granted
from scoring_service.domain.model import IDENTIFY
from scoring_service.domain.timeline import Fact, JudgedAdjustment, JudgedEvent, Timeline

ENGINE_VERSION = 1
"""The version of the rules in this package. Raise it with every change that can give a lead another state: `migrate`
then lets all leads be folded anew, and MODEL entries record what differs."""


def engine(calendar: Calendar) -> str:
    """Returns what a score depends on beside its facts and models: the rules of the fold and the time zone's data."""
    return f"{ENGINE_VERSION}/{calendar.zone.key}/{calendar.fingerprint()}"


class Moment(NamedTuple):
    """What happened at one point of a timeline: a fact, or (fact is None) the ticks of a silence that had an effect."""

    fact: Fact | None
    ticks: Sequence[Tick]
    score_before: int
    state: LeadState


def replay(
    timeline: Timeline, calendar: Calendar, facts: Iterable[Fact], through: date | None, start: LeadState = EMPTY
) -> Iterator[Moment]:
    """Yields every fact, and the ticks of every silence before one, each with the state after it.

    `facts` come in the order of their positions and belong after `start`. Ticks are applied up to the date `through`;
    where later ones would change the score before a fact, the state says so (`deferred_ticks`). The ticks after the
    last fact are left to `settle`, so a timeline can be replayed piece by piece.
    """
    state, grace = start, timeline.shortest_grace
    for fact in facts:
        # Ticks have no effect within the grace period, where most facts lie; asking first spares the calendar.
        if state.last_event_time is not None and fact.position[0] - state.last_event_time >= grace:
            moment = _silence(timeline, calendar, state, calendar.date_of(fact.position[0]), through)
            state = moment.state
            if moment.ticks:
                yield moment
        before = state.score
        state = evolve(calendar, state, fact)
        yield Moment(fact, (), before, state)


def settle(timeline: Timeline, calendar: Calendar, state: LeadState, through: date | None) -> Moment:
    """Applies the ticks after the last fact, up to a date."""
    if through is None or (state.decayed_through is not None and through <= state.decayed_through):
        return Moment(None, (), state.score, state)
    applied = list(ticks(timeline, calendar, state, through))
    score = applied[-1].score if applied else state.score
    return Moment(None, applied, state.score, state._replace(score=score, decayed_through=through))


def fold(
    timeline: Timeline, calendar: Calendar, facts: Iterable[Fact], through: date | None, start: LeadState = EMPTY
) -> LeadState:
    """Returns the state that facts, in the order of their positions, and all ticks up to a date make of a start."""
    return settle(timeline, calendar, advance(timeline, calendar, facts, through, start), through).state


def advance(
    timeline: Timeline, calendar: Calendar, facts: Iterable[Fact], through: date | None, start: LeadState
) -> LeadState:
    """Returns the state right after the last of the facts: `fold` without the ticks that come after it."""
    state = start
    for moment in replay(timeline, calendar, facts, through, start):
        state = moment.state
    return state


def evolve(calendar: Calendar, state: LeadState, fact: Fact) -> LeadState:
    """Returns the state after a fact that belongs at the end of the timeline."""
    if not isinstance(fact, JudgedEvent):
        return _after_adjustment(state, fact)
    rule, model, event, position = fact.rule, fact.model, fact.event, fact.position
    # One unpacking costs a fraction of the twelve attributes; every event of every replay comes through here.
    before, _, facts, events, first, _, _, through, deferred, contributions, usage, group_points, attributes = state
    score = before
    if rule is not None:
        if rule.limits or rule.group_id:
            points, usage, group_points = granted(calendar, state, rule, model, position[0])
            score += points
        else:
            score += rule.points
    if not model.score_floor <= score <= model.score_ceiling:
        score = model.bounded(score)
    if score != before:
        rule_id = rule.rule_id if rule is not None else ""
        total = contributions.get(rule_id, 0) + score - before
        contributions = {**contributions, rule_id: total} if total else plus(contributions, {rule_id: score - before})
    if event.event_type == IDENTIFY:
        attributes = merged(attributes, event.properties)
    return LeadState(
        score,
        score,
        facts + 1,
        events + 1,
        first or position[0],
        position[0],
        position,
        through,
        deferred,
        contributions,
        usage,
        group_points,
        attributes,
    )


def _after_adjustment(state: LeadState, fact: JudgedAdjustment) -> LeadState:
    score = fact.model.bounded(state.score + fact.points)
    contributions = plus(state.contributions, {fact.rule_id: score - state.score})
    return state._replace(
        score=score,
        score_at_last_fact=score,
        fact_count=state.fact_count + 1,
        last_fact=fact.position,
        contributions=contributions,
    )


def _silence(timeline: Timeline, calendar: Calendar, state: LeadState, day: date, through: date | None) -> Moment:
    """Applies the ticks between the last fact and one on a date, and notes whether decay has yet to come to some."""
    reached = None if through is None else min(through, day)
    applied = list(ticks(timeline, calendar, state, reached))
    after = state._replace(score=applied[-1].score) if applied else state
    if not state.deferred_ticks and reached != day:
        # Asked of the state as of `reached`, so that only ticks beyond it count.
        rest = after if reached is None else after._replace(decayed_through=_later(after.decayed_through, reached))
        if next(ticks(timeline, calendar, rest, day), None) is not None:
            after = after._replace(deferred_ticks=True)
    return Moment(None, applied, state.score, after)


def _later(one: date | None, other: date) -> date:
    return other if one is None else max(one, other)
