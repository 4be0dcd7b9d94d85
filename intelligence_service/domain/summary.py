"""Counts all leads by stage, risk, next action and score."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from intelligence_service.domain.insight import verdict_of
from intelligence_service.domain.model import Model, Risk


@dataclass(frozen=True, slots=True)
class LeadGroup:
    """Leads that have the same verdict but for their velocity.

    Their scores are in the range that begins at `minimum_score`, they have the same number of recent events or at least
    the largest one that matters, and all of them are idle or none is.
    """

    minimum_score: int
    recent_event_count: int
    is_idle: bool
    lead_count: int


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


class Grouping(NamedTuple):
    """How leads are grouped for a model.

    Each of the ascending `minimum_scores` begins a range of scores, up to the next one. `max_recent_event_counts` has
    one number for each range: more recent events do not change the verdict. Events are recent for the time `recent`;
    leads are idle if their last event is longer ago than `idle`.
    """

    minimum_scores: Sequence[int]
    max_recent_event_counts: Sequence[int]
    recent: timedelta
    idle: timedelta


def grouping_for(model: Model) -> Grouping:
    """Returns how to group leads, so that all leads of a group have the same verdict but for their velocity."""
    scores = minimum_scores(model)
    counts = [_max_recent_event_count(model.stages_around(score)[0].stage, model) for score in scores]
    return Grouping(scores, counts, model.velocity_window, model.idle)


def minimum_scores(model: Model) -> list[int]:
    """Returns the start of each score range: the minimums of the stages, then doubling up to the ceiling."""
    minimums = [stage.minimum_score for stage in model.stages]
    while (following := 2 * max(1, minimums[-1])) < model.score_ceiling:
        minimums.append(following)
    return minimums


def summarize(groups: Iterable[LeadGroup], model: Model, as_of_time: datetime) -> Summary:
    """Returns the counts over all groups, which are grouped as by `grouping_for`."""
    # Several rows of the table can have the same name.
    stages = Counter({stage.stage: 0 for stage in model.stages})
    risks = Counter({risk.value: 0 for risk in Risk})
    next_actions = Counter({row.next_action: 0 for row in model.next_actions})
    scores: Counter[int] = Counter()
    churned = 0
    for group in groups:
        stage = model.stages_around(group.minimum_score)[0].stage
        verdict = verdict_of(stage, group.recent_event_count, model, is_idle=group.is_idle)
        stages[stage] += group.lead_count
        risks[verdict.risk.value] += group.lead_count
        next_actions[verdict.row.next_action] += group.lead_count
        scores[group.minimum_score] += group.lead_count
        churned += group.lead_count * verdict.churned
    return Summary(
        as_of_time=as_of_time,
        model_version=model.version,
        lead_count=risks.total(),
        churned_count=churned,
        stages=dict(stages),
        risks=dict(risks),
        next_actions=dict(next_actions),
        scores=tuple(_ranges(scores, model)),
    )


def _max_recent_event_count(stage: str, model: Model) -> int:
    """Returns the number of recent events that reaches the highest velocity on which the verdict in a stage depends."""
    highest = max(row.minimum_velocity for row in model.next_actions if not row.stages or stage in row.stages)
    if stage in model.churn_stages:
        highest = max(highest, 1)
    return -(-highest // model.velocity_weight) if model.velocity_weight else 0


def _ranges(scores: Counter[int], model: Model) -> Iterable[ScoreRange]:
    minimums = minimum_scores(model)
    maximums = [minimum - 1 for minimum in minimums[1:]] + [model.score_ceiling]
    for minimum, maximum in zip(minimums, maximums, strict=True):
        yield ScoreRange(minimum, maximum, scores[minimum])
