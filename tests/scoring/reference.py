"""A naive second implementation of scoring, to compare with: it visits every midnight and every fact in turn.

It shares the model classes with the service, but no code that judges, limits, decays or folds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from scoring_service.domain.model import Event, Rule, ScoringModel
from scoring_service.domain.timeline import Adjustment, Mode, Publication
from shared.conditions import Condition

TICK, FACT = 0, 1


@dataclass
class World:
    """Everything that happened to a lead, and the models that judge it."""

    models: Mapping[int, ScoringModel]
    publications: Sequence[Publication]
    events: Iterable[Event]
    adjustments: Iterable[Adjustment] = ()

    def model_at(self, time: datetime) -> ScoringModel:
        """Returns the model in force at a time."""
        in_force = self.publications[0].version
        for publication in self.publications:
            if publication.mode is Mode.RESCORE or publication.publish_time <= time:
                in_force = publication.version
        return self.models[in_force]


@dataclass
class Walk:
    """The state of the lead so far."""

    score: int = 0
    last_event: datetime | None = None
    groups: dict[str, int] = field(default_factory=dict)
    given: dict[tuple[str, str], tuple[Any, int, int]] = field(default_factory=dict)


def score_of(world: World, through: date | None) -> int:
    """Returns the score with all decay ticks up to a date, in UTC."""
    return [score for *_, score in _scores(world, through)][-1]


def effects_of(world: World, through: date | None) -> dict[str, int]:
    """Returns how much each event and adjustment changes the score at its own position, by id."""
    effects, before = {}, 0
    for _, kind, fact_id, score in _scores(world, through):
        if kind == FACT:
            effects[fact_id] = score - before
        before = score
    return effects


def ticks_of(world: World, through: date | None) -> list[date]:
    """Returns the dates of the ticks that change the score."""
    days, before = [], 0
    for time, kind, _, score in _scores(world, through):
        if kind == TICK and score != before:
            days.append(time.date())
        before = score
    return days


def _scores(world: World, through: date | None) -> Iterator[tuple[datetime, int, str, int]]:
    """Yields the time, kind and id of every step with the score after it, starting before the first one."""
    yield datetime.min.replace(tzinfo=UTC), TICK, "", 0
    happened: list[Event | Adjustment] = [*world.events, *world.adjustments]
    steps: list[tuple[datetime, int, str, Event | Adjustment | None]] = [
        (step.event_time, FACT, step.event_id, step) for step in happened
    ]
    day = min((time.date() for time, *_ in steps), default=date.max)
    while through is not None and day <= through:
        steps.append((datetime(day.year, day.month, day.day, tzinfo=UTC), TICK, "", None))
        day += timedelta(days=1)
    walk = Walk()
    for time, kind, fact_id, step in sorted(steps, key=lambda each: each[:3]):
        model = world.model_at(time)
        if step is None:
            _tick(walk, model, time)
        else:
            points = step.points if isinstance(step, Adjustment) else _points(walk, model, step)
            walk.score = max(model.score_floor, min(model.score_ceiling, walk.score + points))
            if isinstance(step, Event):
                walk.last_event = time
        yield time, kind, fact_id, walk.score


def _tick(walk: Walk, model: ScoringModel, time: datetime) -> None:
    decay = model.decay
    if walk.last_event is None or time - walk.last_event < decay.grace:
        return
    if decay.half_life:
        kept = round(1_000_000 * 2 ** -(timedelta(days=1) / decay.half_life))
    else:
        kept = (100 - (decay.percent_per_day or 0)) * 10_000
    lowest, highest = max(decay.floor, model.score_floor, 0), min(model.score_ceiling, 0)
    if walk.score > lowest:
        walk.score = max(lowest, walk.score * kept // 1_000_000)
    elif decay.toward_zero and walk.score < highest:
        walk.score = min(highest, -(abs(walk.score) * kept // 1_000_000))


def _points(walk: Walk, model: ScoringModel, event: Event) -> int:
    for rule in model.rules:
        if event.event_type in rule.event_types and all(_holds(each, event.properties) for each in rule.conditions):
            return _bounded(walk, model, rule, event.event_time)
    return 0


def _bounded(walk: Walk, model: ScoringModel, rule: Rule, time: datetime) -> int:
    sign, amount, spent = (1 if rule.points > 0 else -1), abs(rule.points), {}
    for limit in rule.limits:
        key = (rule.rule_id, limit.period.value)
        since, times, points = walk.given.get(key, (None, 0, 0))
        begins = {"ever": "ever", "day": time.date(), "30_days": time}[limit.period.value]
        if since is None or (limit.period.value == "day" and since != begins):
            since, times, points = begins, 0, 0
        if limit.period.value == "30_days" and time - since >= timedelta(days=30):
            since, times, points = begins, 0, 0
        spent[key] = (since, times, points)
        if limit.max_times is not None:
            amount = 0 if times >= limit.max_times else amount
        else:
            amount = min(amount, max(0, (limit.max_points or 0) - points))
    granted = sign * amount
    chain, group_id = [], rule.group_id
    while group_id:
        group = next(each for each in model.groups if each.group_id == group_id)
        chain.append(group_id)
        granted = min(granted, max(0, group.cap - walk.groups.get(group_id, 0)))
        group_id = group.parent_group_id
    if granted:
        for key, (since, times, points) in spent.items():
            walk.given[key] = (since, times + 1, points + abs(granted))
        for group_id in chain:
            walk.groups[group_id] = walk.groups.get(group_id, 0) + granted
    return granted


def _holds(condition: Condition, properties: Mapping[str, Any]) -> bool:
    value, operand = properties.get(condition.property), condition.operand
    match condition.operator.value:
        case "exists":
            return (value is not None) is operand
        case "equals":
            return type(value) is type(operand) and bool(value == operand)
        case "in":
            return any(type(value) is type(each) and value == each for each in operand)
        case "contains":
            return isinstance(value, str) and operand in value
        case "starts_with":
            return isinstance(value, str) and value[: len(operand)] == operand
        case "greater_than":
            return isinstance(value, float) and value > operand
        case "at_least":
            return isinstance(value, float) and value >= operand
        case "less_than":
            return isinstance(value, float) and value < operand
        case _:
            return isinstance(value, float) and value <= operand
