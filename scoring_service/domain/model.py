"""The scoring model: how events become points, and points become stages. The content of a version never changes."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

from scoring_service.domain.calibration import Calibration
from scoring_service.domain.fit import NO_FIT, Fit, Fitness
from shared.conditions import Condition, Test, all_of

IDENTIFY = "identify"
"""The event type whose properties become the lead's attributes."""
ADJUSTMENT = "adjustment"
"""The rule id under which contributions count adjustments; no rule may have it."""
WHOLE = 1_000_000
"""Decay factors are whole numbers of millionths."""

NEVER = timedelta(days=36_500)
"""Longer than any period of inactivity."""

_DAY = timedelta(days=1)
_NO_PROPERTIES: Mapping[str, Any] = {}
Verdicts = tuple[tuple[int, str], ...]
"""Which rule matches an event under each version of the model: pairs of a version and a rule id, ascending by version.
A pair holds until the next one; the id is empty if no rule matches. It replaces properties that have been removed."""


class ModelNotFound(Exception):
    """The version of the model does not exist."""

    def __init__(self, version: int) -> None:
        super().__init__(f"scoring model version {version} does not exist")


class UnknownStage(Exception):
    """The model has no such stage. `field` is the request field that named it."""

    field = "stage"

    def __init__(self, stage: str, stages: list[str]) -> None:
        super().__init__(f"stage: {stage!r} is unknown, must be one of {', '.join(stages)}")


class Period(StrEnum):
    """The period of a limit; `limits.py` defines when each period begins."""

    DAY = "day"
    THIRTY_DAYS = "30_days"
    EVER = "ever"


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds what a rule gives a lead in a period: the magnitude of the points, or the number of times."""

    period: Period
    max_points: int | None = None
    max_times: int | None = None


@dataclass(frozen=True)
class Rule:
    """Gives `points` for events of the given types whose properties meet all conditions."""

    rule_id: str
    event_types: tuple[str, ...]
    points: int
    conditions: tuple[Condition, ...] = ()
    limits: tuple[Limit, ...] = ()
    group_id: str = ""

    @cached_property
    def limits_by_key(self) -> tuple[tuple[str, Limit], ...]:
        """The limits with the keys under which a state counts their usage: `<rule>:<period>`."""
        return tuple((f"{self.rule_id}:{limit.period}", limit) for limit in self.limits)


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules and groups that together give a lead at most `cap` points."""

    group_id: str
    cap: int
    parent_group_id: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Scores from `minimum_score` up to the minimum of the next stage."""

    stage: str
    minimum_score: int


@dataclass(frozen=True)
class Decay:
    """After `grace` without an event, every midnight removes a part of the score, down to `floor`.

    Either `percent_per_day` or `half_life` is set. With `toward_zero`, negative scores rise by the same rule.
    """

    grace: timedelta
    percent_per_day: int | None = None
    half_life: timedelta | None = None
    floor: int = 0
    toward_zero: bool = False

    @cached_property
    def retained(self) -> int:
        """The part of a score that remains after a day, in millionths: 1 − percent / 100, or 2^(−1 day / half-life)."""
        if self.half_life is not None:
            return round(WHOLE * math.pow(0.5, _DAY / self.half_life))
        return WHOLE // 100 * (100 - (self.percent_per_day or 0))


NO_DECAY = Decay(timedelta(), percent_per_day=0)


@dataclass(frozen=True, slots=True)
class Velocity:
    """Velocity = `weight` × events in the `window` that ends at the requested time. Intelligence computes it."""

    window: timedelta
    weight: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """A row of the next-action table. It matches if all of its conditions hold; `risk` is low, high or None for any."""

    next_action: str
    stages: tuple[str, ...] = ()
    minimum_velocity: int = 0
    risk: str | None = None


class Event(NamedTuple):
    """An event to score. A `historical` one, such as one of an import, must not cause automations to fire.

    `verdicts` are set if the properties have been removed.
    """

    event_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any] = _NO_PROPERTIES
    historical: bool = False
    verdicts: Verdicts = ()


@dataclass(frozen=True)
class ScoringModel:
    """A version of the model. Stages ascend, and the first one begins at the floor; see `model_validation.py`."""

    version: int
    rules: tuple[Rule, ...]
    score_floor: int
    score_ceiling: int
    stages: tuple[Stage, ...]
    velocity: Velocity
    idle: timedelta
    next_actions: tuple[NextAction, ...]
    churn_stages: tuple[str, ...] = ()
    decay: Decay = NO_DECAY
    groups: tuple[RuleGroup, ...] = ()
    fit: Fit | None = None
    calibration: Calibration | None = None
    display_name: str = ""

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields for a copy in another process: compiled tests are functions, which cannot be pickled."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _by_type(self) -> dict[str, tuple[tuple[Test | None, Rule], ...]]:
        """The rules of each event type in order, each with its compiled test."""
        compiled: dict[str, list[tuple[Test | None, Rule]]] = {}
        for rule in self.rules:
            test = all_of(rule.conditions)
            for event_type in dict.fromkeys(rule.event_types):
                compiled.setdefault(event_type, []).append((test, rule))
        return {event_type: tuple(rules) for event_type, rules in compiled.items()}

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.rule_id: rule for rule in self.rules}

    @cached_property
    def _minimums(self) -> list[int]:
        return [stage.minimum_score for stage in self.stages]

    @cached_property
    def _later_minimums(self) -> list[int]:
        """The minimums of all stages but the first, which has no lower bound."""
        return self._minimums[1:]

    @cached_property
    def _names(self) -> list[str]:
        return [stage.stage for stage in self.stages]

    @cached_property
    def _decay_floor(self) -> int:
        return max(self.score_floor, self.decay.floor, 0)

    @cached_property
    def _decay_ceiling(self) -> int:
        """Where negative scores end if they decay."""
        return min(self.score_ceiling, 0)

    @cached_property
    def _chains(self) -> dict[str, tuple[RuleGroup, ...]]:
        groups = {group.group_id: group for group in self.groups}
        chains: dict[str, tuple[RuleGroup, ...]] = {"": ()}
        for group_id in groups:
            chain, each = [], groups.get(group_id)
            while each is not None:
                chain.append(each)
                each = groups.get(each.parent_group_id)
            chains[group_id] = tuple(chain)
        return chains

    @cached_property
    def grace(self) -> timedelta:
        """The inactivity after which scores decay; `NEVER` if they do not decay."""
        return self.decay.grace if self.decay.retained < WHOLE else NEVER

    def rule_for(self, event: Event) -> Rule | None:
        """Returns the first rule that matches an event, or None; the result depends on the event alone.

        An event without its properties keeps the rule that matched it under this version. A version that is newer than
        its verdicts applies its rule of the same id, if it has one.
        """
        if event.verdicts:
            return self._by_id.get(self._kept(event.verdicts))
        for test, rule in self._by_type.get(event.event_type, ()):
            if test is None or test(event.properties):
                return rule
        return None

    def groups_of(self, rule: Rule) -> tuple[RuleGroup, ...]:
        """Returns the groups whose caps apply to a rule, its own group first."""
        return self._chains[rule.group_id]

    def stage_of(self, score: int) -> str:
        """Returns the stage that a score falls in."""
        return self._names[bisect_right(self._later_minimums, score)]

    def fitness(self, attributes: Mapping[str, Any], score: int) -> Fitness:
        """Returns how well a lead fits; `NO_FIT` if the model has no fit rules."""
        return self.fit.of(attributes, score) if self.fit else NO_FIT

    def bounded(self, score: int) -> int:
        """Returns the score within floor and ceiling."""
        return min(max(score, self.score_floor), self.score_ceiling)

    def decayed(self, score: int) -> int:
        """Returns the score after a tick: floor(score × millionths / 1,000,000), but not below the floor of decay.

        So every decaying score ends at the highest of that floor, the floor of the model, and 0. If negative scores
        decay, one of −s changes as one of s would without a floor, and ends at 0 or at a lower ceiling of the model.
        """
        lowest = self._decay_floor
        if score > lowest:
            return max(lowest, self._left_of(score))
        if self.decay.toward_zero and score < self._decay_ceiling:
            return min(self._decay_ceiling, -self._left_of(-score))
        return score

    def score_range(self, stage: str) -> tuple[int | None, int | None]:
        """Returns the lowest score of a stage and of the next stage; None for the first stage and after the last one.

        The first stage has no lowest score: a score from before a publication can be below the floor.

        Raises:
            UnknownStage: The model has no such stage.
        """
        names = [each.stage for each in self.stages]
        if stage not in names:
            raise UnknownStage(stage, names)
        index = names.index(stage)
        return self._minimums[index] if index else None, self._minimums[index + 1] if index + 1 < len(names) else None

    def _kept(self, verdicts: Verdicts) -> str:
        """Returns the id of the rule by the last verdict up to this version."""
        number = bisect_right(verdicts, self.version, key=itemgetter(0))
        return verdicts[max(0, number - 1)][1]

    def _left_of(self, points: int) -> int:
        return points * self.decay.retained // WHOLE
