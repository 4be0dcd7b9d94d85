"""Simulates the publication of a model: what it would change, counted lead by lead."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.ranking import Ranking, RankingTally
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Adjustment, Fact, JudgedEvent, Mode, Publication, Timeline
from scoring_service.domain.type_mismatches import Mismatch, TypeCheck, most_common

MAX_UNKNOWN = 100
"""The maximum number of event types without a rule in a summary."""


@dataclass(frozen=True, slots=True)
class Question:
    """The event types that count as conversions, and how long after its first event a lead is ranked (the landmark)."""

    conversions: frozenset[str]
    landmark: timedelta


@dataclass(frozen=True, slots=True)
class Difference:
    """What a model would change for a lead; stages and grades before are those of the model in force."""

    lead_id: str
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    fit_grade_before: str
    fit_grade_after: str
    last_event_historical: bool

    @property
    def is_change(self) -> bool:
        """Whether anything differs."""
        return (self.score_before, self.stage_before, self.fit_grade_before) != (
            self.score_after,
            self.stage_after,
            self.fit_grade_after,
        )


@dataclass(frozen=True, slots=True)
class RuleShare:
    """The effect of a rule on all leads: its events, and their points after limits, caps, floor and ceiling."""

    rule_id: str
    events: int
    points: int
    share: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What publishing would do to all leads; `stages` and `fit_grades` count leads by (before, after)."""

    leads_changed: int
    points_before: int
    points_after: int
    stages: dict[tuple[str, str], int]
    fit_grades: dict[tuple[str, str], int]
    rules: tuple[RuleShare, ...]
    unknown_event_types: tuple[tuple[str, int], ...]
    type_mismatches: tuple[tuple[Mismatch, int], ...]
    ranking_before: Ranking | None
    ranking_after: Ranking | None


@dataclass(slots=True)
class Tally:
    """The counts of a simulation over some leads. Tallies of different leads add up to that of all of them."""

    leads_changed: int = 0
    points_before: int = 0
    points_after: int = 0
    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    fit_grades: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    mismatches: Counter[Mismatch] = field(default_factory=Counter)
    rankings: tuple[RankingTally, RankingTally] = field(default_factory=lambda: (RankingTally(), RankingTally()))

    def add(self, other: "Tally") -> None:
        """Adds the counts of other leads."""
        self.leads_changed += other.leads_changed
        self.points_before += other.points_before
        self.points_after += other.points_after
        self.stages.update(other.stages)
        self.fit_grades.update(other.fit_grades)
        self.events.update(other.events)
        self.points.update(other.points)
        self.unknown.update(other.unknown)
        self.mismatches.update(other.mismatches)
        for ranking, more in zip(self.rankings, other.rankings, strict=True):
            ranking.add_all(more)

    def count(self, found: Difference) -> None:
        """Counts a lead."""
        self.leads_changed += found.is_change
        self.points_before += found.score_before
        self.points_after += found.score_after
        self.stages[found.stage_before, found.stage_after] += 1
        self.fit_grades[found.fit_grade_before, found.fit_grade_after] += 1

    def count_rules(self, facts: Sequence[Fact]) -> None:
        """Counts the events of a lead by the rule that matched them, and those without a rule by their type."""
        for fact in facts:
            if isinstance(fact, JudgedEvent):
                if fact.rule is None:
                    self.unknown[fact.event.event_type] += 1
                else:
                    self.events[fact.rule.rule_id] += 1

    def summary(self, before: ScoringModel, after: ScoringModel, *, ranked: bool) -> Summary:
        """Returns the summary, with the rankings by both models if leads were ranked."""
        ranking_before, ranking_after = (
            tally.ranking([stage.stage for stage in model.stages], model.stage_of) if ranked else None
            for tally, model in zip(self.rankings, (before, after), strict=True)
        )
        return Summary(
            leads_changed=self.leads_changed,
            points_before=self.points_before,
            points_after=self.points_after,
            stages=dict(self.stages),
            fit_grades={} if set(self.fit_grades) <= {("", "")} else dict(self.fit_grades),
            rules=tuple(self._shares(after)),
            unknown_event_types=tuple(self.unknown.most_common(MAX_UNKNOWN)),
            type_mismatches=most_common(self.mismatches),
            ranking_before=ranking_before,
            ranking_after=ranking_after,
        )

    def _shares(self, model: ScoringModel) -> Iterator[RuleShare]:
        whole = sum(abs(self.points[rule.rule_id]) for rule in model.rules)
        for rule in model.rules:
            points = self.points[rule.rule_id]
            share = abs(points) / whole if whole else 0.0
            yield RuleShare(rule.rule_id, self.events[rule.rule_id], points, share)


class Simulation:
    """Folds leads under a model that is not in force, and counts the differences in its `tally`."""

    def __init__(self, before: Timeline, model: ScoringModel, calendar: Calendar, question: Question | None) -> None:
        self.tally = Tally()
        self._before = before
        self._after = rescored(before, model)
        self._model = model
        self._types = TypeCheck(model)
        self._calendar = calendar
        self._question = question

    def add(self, lead: Lead, recorded: Sequence[Event | Adjustment], through: date | None) -> Difference:
        """Counts a lead with its recorded facts, decayed through a date, and returns what would change for it."""
        facts = self._after.judge_all(recorded)
        after = fold(self._after, self._calendar, facts, through)
        old, new = self._before.latest, self._model
        found = Difference(
            lead.lead_id,
            lead.state.score,
            after.score,
            old.stage_of(lead.state.score),
            new.stage_of(after.score),
            old.fitness(lead.state.attributes.values, lead.state.score).grade,
            new.fitness(after.attributes.values, after.score).grade,
            after.last_event_historical,
        )
        self.tally.count(found)
        self.tally.count_rules(facts)
        self.tally.mismatches.update(self._mismatches(facts, after.attributes.values))
        self.tally.points.update(after.contributions)
        if self._question is not None:
            self._rank(self._question, recorded, facts)
        return found

    def _mismatches(self, facts: Sequence[Fact], attributes: Mapping[str, Any]) -> Iterator[Mismatch]:
        for fact in facts:
            if isinstance(fact, JudgedEvent):
                yield from self._types.in_event(fact.event)
        yield from self._types.in_attributes(attributes)

    def _rank(self, question: Question, recorded: Sequence[Event | Adjustment], after: Sequence[Fact]) -> None:
        """Counts the lead with its scores at the landmark: from the facts before it, none of which is a conversion."""
        events = [fact.event for fact in after if isinstance(fact, JudgedEvent)]
        if not events:
            return
        landmark = events[0].event_time + question.landmark
        converted = next((event.event_time for event in events if event.event_type in question.conversions), None)
        if converted is not None and converted < landmark:
            for tally in self.tally.rankings:
                tally.leave_out()
            return
        before = self._before.judge_all([each for each in recorded if each.event_time < landmark])
        # Decay counts as if it had run every day until the landmark.
        day = self._calendar.date_of(landmark)
        for tally, timeline, known in zip(
            self.tally.rankings, (self._before, self._after), (before, after[: len(before)]), strict=True
        ):
            state = fold(timeline, self._calendar, known, day)
            tally.add(state.score, converts=converted is not None)


def rescored(timeline: Timeline, model: ScoringModel) -> Timeline:
    """Returns the timeline after a publication of the model for all events."""
    last = timeline.publications[-1]
    publication = Publication(
        last.number + 1, model.version, last.version, Mode.RESCORE, last.publish_time + timedelta(milliseconds=1)
    )
    return Timeline(
        [*timeline.publications, publication],
        lambda version: model if version == model.version else timeline.models(version),
    )
