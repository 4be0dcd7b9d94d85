"""Counts all leads by stage, risk, next action and score."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from intelligence_service.domain.insight import LeadFacts, Verdict
from intelligence_service.domain.model import Model, Risk


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """The number of leads with a score from `minimum_score` to `maximum_score`, both inclusive."""

    minimum_score: int
    maximum_score: int
    lead_count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all leads; each mapping is in the model's order and includes the names with a count of 0."""

    as_of_time: datetime
    model_version: int
    lead_count: int
    churned_count: int
    stages: dict[str, int]
    risks: dict[str, int]
    next_actions: dict[str, int]
    scores: tuple[ScoreRange, ...]


class Tally:
    """Counts leads one by one."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._minimums = _minimums(model)
        # Several rows of the table can have the same name.
        self._stages = Counter({stage.stage: 0 for stage in model.stages})
        self._risks = Counter({risk.value: 0 for risk in Risk})
        self._next_actions = Counter({row.next_action: 0 for row in model.next_actions})
        self._scores: Counter[int] = Counter()
        self._churned = 0

    def add(self, leads: Iterable[tuple[LeadFacts, Verdict]]) -> None:
        """Counts some leads."""
        for facts, verdict in leads:
            self._stages[facts.stage] += 1
            self._risks[verdict.risk.value] += 1
            self._next_actions[verdict.row.next_action] += 1
            self._scores[max(0, bisect_right(self._minimums, facts.score) - 1)] += 1
            self._churned += verdict.churned

    def summary(self, as_of_time: datetime) -> Summary:
        """Returns the counts so far."""
        maximums = [minimum - 1 for minimum in self._minimums[1:]] + [self._model.score_ceiling]
        ranges = enumerate(zip(self._minimums, maximums, strict=True))
        return Summary(
            as_of_time=as_of_time,
            model_version=self._model.version,
            lead_count=self._risks.total(),
            churned_count=self._churned,
            stages=dict(self._stages),
            risks=dict(self._risks),
            next_actions=dict(self._next_actions),
            scores=tuple(ScoreRange(low, high, self._scores[index]) for index, (low, high) in ranges),
        )


def _minimums(model: Model) -> list[int]:
    """Returns the start of each score range: the minimums of the stages, then doubling up to the ceiling."""
    minimums = [stage.minimum_score for stage in model.stages]
    while (following := 2 * max(1, minimums[-1])) < model.score_ceiling:
        minimums.append(following)
    return minimums
