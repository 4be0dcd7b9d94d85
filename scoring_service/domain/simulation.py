"""Simulates the publication of a model: what it would change, counted lead by lead."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.ranking import Ranking, RankingTally
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Adjustment, Fact, JudgedEvent, Mode, Publication, Timeline

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
    ranking_before: Ranking | None
    ranking_after: Ranking | None


class Simulation:
    """Folds leads under a model that is not in force, and counts the differences."""

    def __init__(self, before: Timeline, model: ScoringModel, calendar: Calendar, question: Question | None) -> None:
        self._before = before
        self._after = rescored(before, model)
        self._model = model
        self._calendar = calendar
        self._question = question
        self._leads_changed = 0
        self._points_before = self._points_after = 0
        self._stages: Counter[tuple[str, str]] = Counter()
        self._grades: Counter[tuple[str, str]] = Counter()
        self._events: Counter[str] = Counter()
        self._points: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._rankings = (RankingTally(), RankingTally())

    def add(self, lead: Lead, recorded: Sequence[Event | Adjustment], through: date | None) -> Difference:
        """Counts a lead with its recorded facts, decayed through a date, and returns what would change for it."""
        facts = self._after.judge_all(recorded)
        after = fold(self._after, self._calendar, facts, through)
        self._count_rules(facts)
        self._points.update(after.contributions)
        old, new = self._before.latest, self._model
        found = Difference(
            lead.lead_id,
            lead.state.score,
            after.score,
            old.stage_of(lead.state.score),
            new.stage_of(after.score),
            old.fitness(lead.state.attributes.values, lead.state.score).grade,
            new.fitness(after.attributes.values, after.score).grade,
        )
        self._leads_changed += found.is_change
        self._points_before += found.score_before
        self._points_after += found.score_after
        self._stages[found.stage_before, found.stage_after] += 1
        self._grades[found.fit_grade_before, found.fit_grade_after] += 1
        if self._question is not None:
            self._rank(self._question, self._before.judge_all(recorded), facts)
        return found

    def summary(self) -> Summary:
        """Returns the summary of the leads counted so far."""
        before, after = (
            tally.ranking([stage.stage for stage in model.stages], model.stage_of) if self._question else None
            for tally, model in zip(self._rankings, (self._before.latest, self._model), strict=True)
        )
        return Summary(
            leads_changed=self._leads_changed,
            points_before=self._points_before,
            points_after=self._points_after,
            stages=dict(self._stages),
            fit_grades={} if set(self._grades) <= {("", "")} else dict(self._grades),
            rules=tuple(self._shares()),
            unknown_event_types=tuple(self._unknown.most_common(MAX_UNKNOWN)),
            ranking_before=before,
            ranking_after=after,
        )

    def _count_rules(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, JudgedEvent):
                if fact.rule is None:
                    self._unknown[fact.event.event_type] += 1
                else:
                    self._events[fact.rule.rule_id] += 1

    def _shares(self) -> Iterator[RuleShare]:
        whole = sum(abs(self._points[rule.rule_id]) for rule in self._model.rules)
        for rule in self._model.rules:
            points = self._points[rule.rule_id]
            share = abs(points) / whole if whole else 0.0
            yield RuleShare(rule.rule_id, self._events[rule.rule_id], points, share)

    def _rank(self, question: Question, before: Sequence[Fact], after: Sequence[Fact]) -> None:
        """Counts the lead with its scores at the landmark, from the facts before it without conversions."""
        times = [fact.event.event_time for fact in after if isinstance(fact, JudgedEvent)]
        if not times:
            return
        landmark = times[0] + question.landmark
        converted = next((fact.position[0] for fact in after if _is_one_of(fact, question.conversions)), None)
        for tally, timeline, facts in zip(self._rankings, (self._before, self._after), (before, after), strict=True):
            if converted is not None and converted < landmark:
                tally.leave_out()
                continue
            known = [
                fact for fact in facts if fact.position[0] < landmark and not _is_one_of(fact, question.conversions)
            ]
            # Decay counts as if it had run every day until the landmark.
            state = fold(timeline, self._calendar, known, self._calendar.date_of(landmark))
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


def _is_one_of(fact: Fact, event_types: Collection[str]) -> bool:
    return isinstance(fact, JudgedEvent) and fact.event.event_type in event_types
