"""The part of a scoring model that says what a score means. Its numbers are data; none is known here."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Risk(StrEnum):
    """How likely a lead is to be lost."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Stage:
    """Scores from `minimum_score` up to the next stage's minimum."""

    stage: str
    minimum_score: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """A row of the next-action table: it holds when all that it names holds.

    No stages stand for any stage, no risk for any risk.
    """

    next_action: str
    stages: tuple[str, ...] = ()
    minimum_velocity: int = 0
    risk: Risk | None = None

    def holds(self, stage: str, velocity: int, risk: Risk) -> bool:
        """Tells whether the row holds for a lead."""
        return (
            (not self.stages or stage in self.stages)
            and velocity >= self.minimum_velocity
            and self.risk in (None, risk)
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A version of the scoring model; it never changes.

    `stages` ascend and the first begins at the floor; of `next_actions` the first row that holds decides, and the last
    one always holds. Risk is high when the last event is more than `idle` ago. Leads in `churn_stages` with velocity 0
    and high risk are churned.
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

    def stages_around(self, score: int) -> tuple[Stage, Stage | None]:
        """Returns the stage that a score falls in and the one above it, if there is one."""
        index = max(0, bisect_right([stage.minimum_score for stage in self.stages], score) - 1)
        return self.stages[index], self.stages[index + 1] if index + 1 < len(self.stages) else None
