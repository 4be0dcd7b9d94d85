"""The part of a scoring model that gives a score its meaning. Its numbers are data: none is hard-coded here."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property


class Risk(StrEnum):
    """The risk of losing a lead."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Stage:
    """Scores from `minimum_score` up to the next stage's minimum."""

    stage: str
    minimum_score: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """A row of the next-action table; it matches when all of its conditions hold.

    Empty `stages` match any stage, and None matches any risk.
    """

    next_action: str
    stages: tuple[str, ...] = ()
    minimum_velocity: int = 0
    risk: Risk | None = None

    def holds(self, stage: str, velocity: int, risk: Risk) -> bool:
        """Returns whether the row matches a lead."""
        return (
            (not self.stages or stage in self.stages)
            and velocity >= self.minimum_velocity
            and self.risk in (None, risk)
        )


@dataclass(frozen=True)
class Model:
    """A version of the scoring model; it never changes.

    `stages` ascend, and the first one starts at the floor. The first row of `next_actions` that matches decides; the
    last row matches every lead. Risk is high when the last event is more than `idle` ago. Leads in `churn_stages` with
    velocity 0 and high risk are churned.
    """

    version: int
    score_floor: int
    score_ceiling: int
    stages: tuple[Stage, ...]
    velocity_window: timedelta
    velocity_weight: int
    idle: timedelta
    next_actions: tuple[NextAction, ...]
    churn_stages: tuple[str, ...]

    @cached_property
    def _minimums(self) -> list[int]:
        return [stage.minimum_score for stage in self.stages]

    def stages_around(self, score: int) -> tuple[Stage, Stage | None]:
        """Returns the stage of a score and the stage above it, or None at the top."""
        index = max(0, bisect_right(self._minimums, score) - 1)
        return self.stages[index], self.stages[index + 1] if index + 1 < len(self.stages) else None
