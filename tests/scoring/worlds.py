"""Hypothesis strategies: models of every kind, and scripts of what happens to a lead while models change."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from scoring_service.domain.model import (
    Decay,
    Event,
    Limit,
    NextAction,
    Period,
    Rule,
    RuleGroup,
    ScoringModel,
    Stage,
    Velocity,
)
from scoring_service.domain.model_validation import check_model
from scoring_service.domain.timeline import Mode
from shared.conditions import Condition, Operator
from tests.scoring.strategies import START

TYPES = ("view", "click", "identify", "unheard_of")
WORDS = ("pro", "pro plus", "free")

_values: st.SearchStrategy[Any] = st.sampled_from(WORDS) | st.integers(0, 3).map(float) | st.booleans() | st.none()
_properties = st.dictionaries(st.sampled_from(("plan", "pages")), _values, max_size=2)
# Steps of six hours cause ties; a span of 60 days leaves inactivity gaps longer than any grace period.
_times = st.integers(0, 60 * 4).map(lambda quarter_days: START + timedelta(hours=6 * quarter_days))


@dataclass(frozen=True)
class Scored:
    """Events arrive together."""

    events: list[Event]


@dataclass(frozen=True)
class Adjusted:
    """Someone adjusts the score at a time."""

    number: int
    time: datetime
    delta: int | None
    target: int | None


@dataclass(frozen=True)
class Retracted:
    """Someone retracts a scored event; `which` is its position among them, as a fraction."""

    which: float


@dataclass(frozen=True)
class Published:
    """A model is published `later` than the previous one; the lead follows `at_once`, or with its next update."""

    mode: Mode
    model: ScoringModel
    later: timedelta
    at_once: bool


@dataclass(frozen=True)
class Decayed:
    """Decay runs through this many more days."""

    days: int


Act = Scored | Adjusted | Retracted | Published | Decayed


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Draws a condition."""
    operator = draw(st.sampled_from(list(Operator)))
    operands: dict[Operator, st.SearchStrategy[Any]] = {
        Operator.EQUALS: _values.filter(lambda value: value is not None),
        Operator.IN: st.lists(_values.filter(lambda value: value is not None), min_size=1, max_size=3).map(tuple),
        Operator.CONTAINS: st.sampled_from(("pro", "r", "plus")),
        Operator.STARTS_WITH: st.sampled_from(("pro", "f")),
        Operator.EXISTS: st.booleans(),
    }
    operand = draw(operands.get(operator, st.integers(0, 3).map(float)))
    return Condition(draw(st.sampled_from(("plan", "pages"))), operator, operand)


@st.composite
def limits(draw: st.DrawFn) -> tuple[Limit, ...]:
    """Draws up to two limits of a rule."""
    periods = draw(st.lists(st.sampled_from(list(Period)), max_size=2, unique=True))
    return tuple(
        Limit(period, max_times=draw(st.integers(1, 3)))
        if draw(st.booleans())
        else Limit(period, max_points=draw(st.integers(1, 30)))
        for period in periods
    )


@st.composite
def models(draw: st.DrawFn) -> ScoringModel:
    """Draws a valid model; the test sets its version."""
    groups = draw(st.sampled_from([(), ("a",), ("a", "b")]))
    floor = draw(st.sampled_from((-100, -20, 0, 5)))
    decay = draw(
        st.sampled_from(
            [
                Decay(timedelta(days=7), percent_per_day=5),
                Decay(timedelta(days=2), half_life=timedelta(days=5)),
                Decay(timedelta(days=30), percent_per_day=50, floor=7),
                Decay(timedelta(), percent_per_day=0),
                Decay(timedelta(days=3), percent_per_day=20, toward_zero=True),
                Decay(timedelta(days=1), half_life=timedelta(days=9), floor=7, toward_zero=True),
            ]
        )
    )
    model = ScoringModel(
        version=0,
        rules=tuple(
            Rule(
                rule_id=f"r{index}",
                event_types=tuple(draw(st.sets(st.sampled_from(TYPES[:3]), min_size=1, max_size=2))),
                points=draw(st.integers(-30, 60).filter(bool)),
                conditions=tuple(draw(st.lists(conditions(), max_size=2))),
                limits=draw(limits()),
                group_id=draw(st.sampled_from(("", *groups))),
            )
            for index in range(draw(st.integers(0, 4)))
        ),
        groups=tuple(
            RuleGroup(group_id, draw(st.integers(0, 80)), groups[0] if index else "")
            for index, group_id in enumerate(groups)
        ),
        score_floor=floor,
        score_ceiling=draw(st.sampled_from((100, 10_000))),
        stages=(
            Stage("frozen", floor),
            *([Stage("cold", -9)] if floor < -9 else []),
            Stage("hot", draw(st.integers(10, 60))),
        ),
        velocity=Velocity(timedelta(days=1), 3),
        idle=timedelta(days=7),
        next_actions=(NextAction("monitor"),),
        decay=decay,
    )
    check_model(model)
    return model


@st.composite
def scripts(draw: st.DrawFn) -> list[Act]:
    """Draws what happens to a lead, in the order of arrival."""
    acts: list[Act] = []
    events = 0
    for number in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from((Scored, Scored, Scored, Adjusted, Retracted, Published, Decayed)))
        if kind is Scored or number == 0:
            count = draw(st.integers(1, 4))
            acts.append(Scored([_event(draw, events + each) for each in range(count)]))
            events += count
        elif kind is Adjusted:
            delta = draw(st.integers(-50, 50) | st.none())
            target = draw(st.integers(0, 90)) if delta is None else None
            acts.append(Adjusted(number, draw(_times), delta, target))
        elif kind is Retracted:
            acts.append(Retracted(draw(st.floats(0, 0.99))))
        elif kind is Published:
            later = timedelta(days=draw(st.integers(0, 20)), milliseconds=1)
            acts.append(Published(draw(st.sampled_from(list(Mode))), draw(models()), later, draw(st.booleans())))
        else:
            acts.append(Decayed(draw(st.integers(0, 25))))
    return acts


def _event(draw: st.DrawFn, number: int) -> Event:
    return Event(f"e{number:02}", draw(st.sampled_from(TYPES)), draw(_times), draw(_properties))
