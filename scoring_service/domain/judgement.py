"""Judges two models by how well their scores at a landmark rank the leads that convert later."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scoring_service.domain.discrimination import Comparison, Pair, compare, marginal
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.ranking import Ranking, ranking_of
from scoring_service.domain.timeline import JudgedEvent
from shared.outcomes import Outcome

LEAK_WITHIN = timedelta(minutes=10)
"""An event that is followed by the outcome so soon may be a part of it."""
LEAK_SHARE = 0.9
LEAK_EVENTS = 20
"""The smallest number of events that can show a leak."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well both models rank the leads whose outcome came after a landmark; `comparison` is after minus before.

    `recorded_later` counts their facts that were not known at the landmark yet, if only what was known then counts.
    """

    landmark: timedelta
    decided_before: int
    censored: int
    before: Ranking
    after: Ranking
    comparison: Comparison | None
    recorded_later: int


@dataclass(slots=True)
class JudgementTally:
    """Counts leads by what became of them and by their scores from both models: the one in force, and the other."""

    pairs: dict[Outcome, Counter[Pair]] = field(
        default_factory=lambda: {Outcome.CONVERTED: Counter(), Outcome.NOT_CONVERTED: Counter()}
    )
    left_out: Counter[Outcome] = field(default_factory=Counter)
    recorded_later: int = 0

    def add(self, outcome: Outcome, scores: Pair, recorded_later: int) -> None:
        """Counts a lead that is judged, with its scores at the landmark."""
        self.pairs[outcome][scores] += 1
        self.recorded_later += recorded_later

    def leave_out(self, outcome: Outcome) -> None:
        """Counts a lead that cannot be judged."""
        self.left_out[outcome] += 1

    def add_all(self, other: "JudgementTally") -> None:
        """Adds the counts of other leads."""
        self.left_out.update(other.left_out)
        self.recorded_later += other.recorded_later
        for outcome, pairs in self.pairs.items():
            pairs.update(other.pairs[outcome])

    def judgement(self, landmark: timedelta, before: ScoringModel, after: ScoringModel) -> Judgement:
        """Returns the judgement of the leads counted so far."""
        converted, others = self.pairs[Outcome.CONVERTED], self.pairs[Outcome.NOT_CONVERTED]
        return Judgement(
            landmark=landmark,
            decided_before=self.left_out[Outcome.DECIDED_BEFORE],
            censored=self.left_out[Outcome.CENSORED],
            before=ranking_by(before, marginal(converted, 0), marginal(others, 0)),
            after=ranking_by(after, marginal(converted, 1), marginal(others, 1)),
            comparison=compare(converted, others),
            recorded_later=self.recorded_later,
        )


def ranking_by(model: ScoringModel, converted: Mapping[int, int], others: Mapping[int, int]) -> Ranking:
    """Returns how well scores of a model rank leads, counted by score."""
    stages = [stage.stage for stage in model.stages]
    return ranking_of(converted, others, stages, model.stage_of, model.calibration)


@dataclass(frozen=True, slots=True)
class Leak:
    """A rule whose events are nearly always followed at once by what the score should predict."""

    rule_id: str
    events: int
    followed: int


@dataclass(slots=True)
class LeakTally:
    """Counts, by rule, the events before the outcome of their lead, and those that it follows within `LEAK_WITHIN`."""

    events: Counter[str] = field(default_factory=Counter)
    followed: Counter[str] = field(default_factory=Counter)

    def add(self, events: Iterable[JudgedEvent], decision_time: datetime) -> None:
        """Counts the events of a lead that came before its outcome."""
        for each in events:
            if each.rule is not None and each.event.event_time < decision_time:
                self.events[each.rule.rule_id] += 1
                self.followed[each.rule.rule_id] += decision_time - each.event.event_time <= LEAK_WITHIN

    def add_all(self, other: "LeakTally") -> None:
        """Adds the counts of other leads."""
        self.events.update(other.events)
        self.followed.update(other.followed)

    def leaks(self, all_events: Mapping[str, int]) -> Iterator[Leak]:
        """Yields the rules that leak, given the number of all events of each rule, most events first."""
        for rule_id, count in self.events.most_common():
            followed = self.followed[rule_id]
            if count >= LEAK_EVENTS and followed >= LEAK_SHARE * all_events[rule_id]:
                yield Leak(rule_id, all_events[rule_id], followed)
