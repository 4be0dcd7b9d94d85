"""What rules are evaluated against: the change of a lead, and the insight into its score."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

DECAY = "DECAY"
"""The kind of the history entry that a decay run appends."""


class Risk(StrEnum):
    """The risk of losing a lead."""

    LOW = "low"
    HIGH = "high"


class LeadNotFound(Exception):
    """No event of this lead has been scored."""

    def __init__(self, lead_id: str) -> None:
        super().__init__(f"no event of lead {lead_id!r} has been scored")


class LeadEvent(NamedTuple):
    """An event of a lead. `properties` is a JSON object, and `traceparent` the span that brought it, if recorded."""

    event_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any]
    traceparent: str = ""


class Transition(NamedTuple):
    """What an event, a run of decay ticks, a publication or a correction did to a lead.

    `scores` and `stages` are as in `Change`. `events` are the events that did it: several if they came late; none if
    something else did it.
    """

    scores: tuple[int, ...]
    stages: tuple[str, ...]
    events: tuple[LeadEvent, ...] = ()


class Row(NamedTuple):
    """A row of the inbox, by its id and its partition. Its changes are marked together."""

    row_id: str
    partition: int


NO_ROW = Row("", 0)
"""The row of a change that nobody has stored."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction of the scoring service did to a lead: events, a decay run, a correction, or a rescore.

    `sequence` is that of the last history entry that it appended. `scores` and `stages` are all values of the lead from
    before the change to after it, without consecutive duplicates. `date_bucket` is the date of the transaction,
    YYYY-MM-DD, and `inactive_days` the whole days since the lead's last event; both were computed in the transaction.
    `kinds` are the kinds of the appended history entries.

    `transitions` are the parts of the change that triggers look at. What is historical, or was published quietly, is in
    none of them.
    """

    row: Row
    lead_id: str
    sequence: int
    scores: tuple[int, ...]
    stages: tuple[str, ...]
    event_types: tuple[str, ...]
    date_bucket: str
    last_event_time: datetime | None
    inactive_days: int
    kinds: tuple[str, ...] = ()
    transitions: tuple[Transition, ...] = ()

    @property
    def change_id(self) -> str:
        """The id of the change: the lead and the sequence."""
        return f"{self.lead_id}:{self.sequence}"

    @property
    def score_before(self) -> int:
        """The score before the change, in points."""
        return self.scores[0]

    @property
    def score(self) -> int:
        """The score after the change, in points."""
        return self.scores[-1]

    @property
    def stage_before(self) -> str:
        """The stage before the change."""
        return self.stages[0]

    @property
    def stage(self) -> str:
        """The stage after the change."""
        return self.stages[-1]

    @property
    def traceparents(self) -> list[str]:
        """The spans that brought the events of the change, as far as they are recorded."""
        return [event.traceparent for each in self.transitions for event in each.events if event.traceparent]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of the scoring model that fired: what it decides, the outcome, and a sentence that explains it."""

    decided: str
    outcome: str
    explanation: str


class ConversionProbability(NamedTuple):
    """How likely a lead with its score converts, with the 95 % confidence interval and the number of leads behind it.

    These leads were looked at `landmark` after their first event, and a conversion counted for the time `horizon` after
    that; if it is None, a conversion counted whenever it came.
    """

    probability: float
    low: float
    high: float
    lead_count: int
    landmark: timedelta
    horizon: timedelta | None


@dataclass(frozen=True, slots=True)
class Insight:
    """What a lead's score means when its change is evaluated. `score` and `stage` are from that time, too.

    `fit_grade` is A to D, or empty if the model does not define a fit. `conversion_probability` is None if the model
    has no calibration.
    """

    velocity: int
    risk: Risk
    next_action: str
    score: int = 0
    stage: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    why: tuple[Threshold, ...] = ()
    fit_grade: str = ""
    conversion_probability: ConversionProbability | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are evaluated against: score and stage after the change, the rest at the time of evaluation."""

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
