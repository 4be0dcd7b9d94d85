"""What is known of a lead when rules are evaluated: what changed, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

DECAY = "DECAY"
"""The kind of a history entry that the run of decay appends, as the scoring service calls it."""


class Risk(StrEnum):
    """How likely a lead is to be lost."""

    LOW = "low"
    HIGH = "high"


class LeadNotFound(Exception):
    """No event of a lead was scored."""

    def __init__(self, lead_id: str) -> None:
        super().__init__(f"no event of lead {lead_id!r} was scored")


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction of the scoring service did to a lead: events, a run of decay, a correction, another model.

    `sequence` is that of the last history entry that it appended. `scores` and `stages` are all that the lead went
    through, those before and after included; equal neighbours stand there once. `date_bucket` is the date on which it
    was committed, YYYY-MM-DD, and `inactive_days` the whole days from the lead's last event to then; both were computed
    in that transaction. `kinds` are those of the history entries that it appended.
    """

    change_id: str
    lead_id: str
    sequence: int
    scores: tuple[int, ...]
    stages: tuple[str, ...]
    event_types: tuple[str, ...]
    date_bucket: str
    last_event_time: datetime
    inactive_days: int
    kinds: tuple[str, ...] = ()

    @property
    def score_before(self) -> int:
        """The score before the change, in points."""
        return self.scores[0]

    @property
    def score(self) -> int:
        """The score after it, in points."""
        return self.scores[-1]

    @property
    def stage_before(self) -> str:
        """The stage before the change."""
        return self.stages[0]

    @property
    def stage(self) -> str:
        """The stage after it."""
        return self.stages[-1]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of the scoring model that fired: what it decided, the outcome, and a sentence that explains it."""

    decided: str
    outcome: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Insight:
    """What a lead's score means when its change is evaluated; `score` and `stage` are those of then.

    `fit_grade` is A to D, empty when the model knows no fit.
    """

    velocity: int
    risk: Risk
    next_action: str
    score: int = 0
    stage: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    why: tuple[Threshold, ...] = ()
    fit_grade: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are asked of. Score and stage are those after the change, the others those of the evaluation."""

    stage: str
    score: int
    velocity: int
    risk: Risk
    next_action: str
    attributes: Mapping[str, Any]
    fit_grade: str = ""


def facts_of(change: Change, insight: Insight) -> Facts:
    """Returns the facts of a lead after a change."""
    return Facts(
        stage=change.stage,
        score=change.score,
        velocity=insight.velocity,
        risk=insight.risk,
        next_action=insight.next_action,
        attributes=insight.attributes,
        fit_grade=insight.fit_grade,
    )
