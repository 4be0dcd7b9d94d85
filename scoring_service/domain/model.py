"""The scoring model: the numbers by which events become points and points become stages. A version never changes."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

IDENTIFY = "identify"
"""The event type whose properties become the lead's attributes."""


class ModelNotFound(Exception):
    """There is no such version of the model."""

    def __init__(self, version: int) -> None:
        super().__init__(f"there is no scoring model with version {version}")


class UnknownStage(Exception):
    """The model has no such stage. `field` is the request's field that named it."""

    field = "stage"

    def __init__(self, stage: str, stages: list[str]) -> None:
        super().__init__(f"stage: {stage!r} is none of {', '.join(stages)}")


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives `points` for an event of `event_type`."""

    rule_id: str
    event_type: str
    points: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Scores from `minimum_score` up to the next stage's."""

    stage: str
    minimum_score: int


@dataclass(frozen=True, slots=True)
class Decay:
    """After `grace` without an event, each midnight leaves floor(score × (100 − percent_per_day) / 100)."""

    grace: timedelta
    percent_per_day: int


@dataclass(frozen=True, slots=True)
class Velocity:
    """Velocity = `weight` × events in the `window` that ends at the time asked for; intelligence computes it."""

    window: timedelta
    weight: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """A row of the next-action table; it holds when all that it names holds. `risk` is low, high or None for any."""

    next_action: str
    stages: tuple[str, ...] = ()
    minimum_velocity: int = 0
    risk: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event to be scored. `properties` are those of an `identify` event, None for any other."""

    event_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResolvedEvent:
    """An event with the verdict of the model: the rule that knew it (empty for none) and the points that it gave."""

    event_id: str
    event_type: str
    event_time: datetime
    rule_id: str
    points: int
    model_version: int
    attributes: Mapping[str, Any] | None = None

    @property
    def position(self) -> tuple[datetime, str]:
        """Where the event stands in its lead's timeline."""
        return self.event_time, self.event_id


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """A version of the model. Stages ascend, and the first one begins at the floor."""

    version: int
    rules: tuple[Rule, ...]
    score_floor: int
    score_ceiling: int
    stages: tuple[Stage, ...]
    decay: Decay
    velocity: Velocity
    idle: timedelta
    next_actions: tuple[NextAction, ...]
    churn_stages: tuple[str, ...]
    _by_type: dict[str, Rule] = field(init=False, repr=False, compare=False)
    _minimums: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_type", {rule.event_type: rule for rule in self.rules})
        object.__setattr__(self, "_minimums", [stage.minimum_score for stage in self.stages])

    def resolve(self, event: Event) -> ResolvedEvent:
        """Judges an event, from the event alone."""
        rule = self._by_type.get(event.event_type)
        return ResolvedEvent(
            event.event_id,
            event.event_type,
            event.event_time,
            rule.rule_id if rule else "",
            rule.points if rule else 0,
            self.version,
            event.properties,
        )

    def stage_of(self, score: int) -> str:
        """Returns the stage that a score falls in."""
        return self.stages[max(0, bisect_right(self._minimums, score) - 1)].stage

    def bounded(self, score: int) -> int:
        """Returns a score kept between floor and ceiling."""
        return min(max(score, self.score_floor), self.score_ceiling)

    def scores_of(self, stage: str) -> tuple[int, int | None]:
        """Returns the lowest score of a stage and the lowest of the next one, None for the last.

        Raises:
            UnknownStage: The model has no such stage.
        """
        names = [each.stage for each in self.stages]
        if stage not in names:
            raise UnknownStage(stage, names)
        place = names.index(stage)
        low = self.score_floor if place == 0 else self._minimums[place]
        return low, self._minimums[place + 1] if place + 1 < len(names) else None
