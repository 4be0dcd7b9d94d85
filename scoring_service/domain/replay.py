"""The fold: computes a lead's state from its timeline, starting with the empty state.

The timeline of a lead holds its facts (events and adjustments) in the order (event_time, event_id), and between them
the decay ticks: one per date, at midnight, before the facts of the same instant. The model in force at its time judges
each of them. `replay` defines what a score is; no other code folds.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from scoring_service.domain.attributes import merged
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick, ticks
from scoring_service.domain.lead_state import EMPTY, LeadState, plus
from scoring_service.domain.limits import grant
from scoring_service.domain.model import IDENTIFY
from scoring_service.domain.timeline import Fact, JudgedAdjustment, JudgedEvent, Timeline

ENGINE_VERSION = 1
"""The version of the rules in this package. Increment it with every change that can give a lead another state:
`migrate` then has all leads folded again, and MODEL entries record the differences."""


def engine(calendar: Calendar) -> str:
    """Returns the name of the engine, which covers the rules of the fold and the time zone data."""
    return f"{ENGINE_VERSION}/{calendar.zone.key}/{calendar.fingerprint()}"


class Moment(NamedTuple):
    """One step of a replay: a fact, or, if `fact` is None, the ticks with an effect in an inactivity gap."""

    fact: Fact | None
    ticks: Sequence[Tick]
    score_before: int
    state: LeadState


def replay(
    timeline: Timeline, calendar: Calendar, facts: Iterable[Fact], through: date | None, start: LeadState = EMPTY
) -> Iterator[Moment]:
    """Yields every fact, and before it the ticks of an inactivity gap, each with the state after it.

    `facts` are ordered by position and come after `start`. Ticks are applied up to the date `through`; if later ones
    would change the score before a fact, the state has `deferred_ticks` set. `settle` applies the ticks after the last
    fact, so a timeline can be replayed in pieces.
    """
    state, grace = start, timeline.shortest_grace
    for fact in facts:
        # Most facts come within the grace period, where ticks have no effect: skip the calendar for them.
        if state.last_event_time is not None and fact.position[0] - state.last_event_time >= grace:
            moment = _cross_inactivity_gap(timeline, calendar, state, calendar.date_of(fact.position[0]), through)
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
    """Returns the state after facts, ordered by position, and all ticks up to a date."""
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
    """Returns the state after one more fact, which must come after all facts in the state."""
    if not isinstance(fact, JudgedEvent):
        return _after_adjustment(state, fact)
    rule, model, event, position = fact.rule, fact.model, fact.event, fact.position
    # The hot path of every replay: one unpacking is much cheaper than twelve attribute reads.
    before, _, facts, events, first, _, _, through, deferred, contributions, usage, group_points, attributes, _ = state
    score = before
    if rule is not None:
        if rule.limits or rule.group_id:
            points, usage, group_points = grant(calendar, state, rule, model, position[0])
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
        event.historical,
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


def _cross_inactivity_gap(
    timeline: Timeline, calendar: Calendar, state: LeadState, day: date, through: date | None
) -> Moment:
    """Applies the ticks between the last fact and the next one, on `day`; flags those after `through` as deferred."""
    reached = None if through is None else min(through, day)
    applied = list(ticks(timeline, calendar, state, reached))
    after = state._replace(score=applied[-1].score) if applied else state
    if not state.deferred_ticks and reached != day:
        # Starts from the state as of `reached`, so that only later ticks count.
        rest = after if reached is None else after._replace(decayed_through=_later(after.decayed_through, reached))
        if next(ticks(timeline, calendar, rest, day), None) is not None:
            after = after._replace(deferred_ticks=True)
    return Moment(None, applied, state.score, after)


def _later(one: date | None, other: date) -> date:
    return other if one is None else max(one, other)
