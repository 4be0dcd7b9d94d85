"""Simulates the publication of a model: what it would change, counted lead by lead."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.discrimination import Pair
from scoring_service.domain.judgement import Judgement, JudgementTally, Leak, LeakTally
from scoring_service.domain.lead import Lead
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Adjustment, Fact, JudgedEvent, Mode, Publication, Timeline
from scoring_service.domain.type_mismatches import Mismatch, TypeCheck, most_common
from shared.outcomes import Question

MAX_UNKNOWN = 100
"""The maximum number of event types without a rule in a summary."""


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
    """What publishing would do to all leads; `stages` and `fit_grades` count leads by (before, after).

    There is a judgement for each landmark that was asked for. It has no lead that began before the time from which
    leads are judged; their number is `began_before`. A conversion counted for the time `horizon`, or whenever it came.
    """

    leads_changed: int
    points_before: int
    points_after: int
    stages: dict[tuple[str, str], int]
    fit_grades: dict[tuple[str, str], int]
    rules: tuple[RuleShare, ...]
    unknown_event_types: tuple[tuple[str, int], ...]
    type_mismatches: tuple[tuple[Mismatch, int], ...]
    judgements: tuple[Judgement, ...]
    leaks: tuple[Leak, ...]
    began_before: int
    horizon: timedelta | None


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
    judgements: defaultdict[timedelta, JudgementTally] = field(default_factory=lambda: defaultdict(JudgementTally))
    leaks: LeakTally = field(default_factory=LeakTally)
    began_before: int = 0

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
        for landmark, judgement in other.judgements.items():
            self.judgements[landmark].add_all(judgement)
        self.leaks.add_all(other.leaks)
        self.began_before += other.began_before

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

    def summary(self, before: ScoringModel, after: ScoringModel, question: Question | None) -> Summary:
        """Returns the summary; if there is a question, with the judgement of both models at each of its landmarks."""
        landmarks = question.landmarks if question else ()
        return Summary(
            leads_changed=self.leads_changed,
            points_before=self.points_before,
            points_after=self.points_after,
            stages=dict(self.stages),
            fit_grades={} if set(self.fit_grades) <= {("", "")} else dict(self.fit_grades),
            rules=tuple(self._shares(after)),
            unknown_event_types=tuple(self.unknown.most_common(MAX_UNKNOWN)),
            type_mismatches=most_common(self.mismatches),
            judgements=tuple(self.judgements[each].judgement(each, before, after) for each in landmarks),
            leaks=tuple(self.leaks.leaks(self.events)) if question else (),
            began_before=self.began_before,
            horizon=question.horizon if question else None,
        )

    def _shares(self, model: ScoringModel) -> Iterator[RuleShare]:
        whole = sum(abs(self.points[rule.rule_id]) for rule in model.rules)
        for rule in model.rules:
            points = self.points[rule.rule_id]
            share = abs(points) / whole if whole else 0.0
            yield RuleShare(rule.rule_id, self.events[rule.rule_id], points, share)


class Simulation:
    """Folds leads under a model that is not in force, and counts the differences in its `tally`.

    With a question, it judges both models; nothing is known of what happened after `observed_until`.
    """

    def __init__(
        self,
        before: Timeline,
        model: ScoringModel,
        calendar: Calendar,
        question: Question | None,
        observed_until: datetime,
    ) -> None:
        self.tally = Tally()
        self._before = before
        self._after = rescored(before, model)
        self._model = model
        self._types = TypeCheck(model)
        self._calendar = calendar
        self._question = question
        self._observed_until = observed_until

    def add(
        self,
        lead: Lead,
        recorded: Sequence[Event | Adjustment],
        through: date | None,
        record_times: Mapping[str, datetime],
    ) -> Difference:
        """Counts a lead with its recorded facts, decayed through a date, and returns what would change for it.

        `record_times` are those of its facts, by id, if the question is about what was known at the landmarks.
        """
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
            self._judge(self._question, recorded, facts, record_times)
        return found

    def _mismatches(self, facts: Sequence[Fact], attributes: Mapping[str, Any]) -> Iterator[Mismatch]:
        for fact in facts:
            if isinstance(fact, JudgedEvent):
                yield from self._types.in_event(fact.event)
        yield from self._types.in_attributes(attributes)

    def _judge(
        self,
        question: Question,
        recorded: Sequence[Event | Adjustment],
        after: Sequence[Fact],
        record_times: Mapping[str, datetime],
    ) -> None:
        """Counts the lead at each landmark; with its scores from the facts before it, if its outcome came after it."""
        judged = [fact for fact in after if isinstance(fact, JudgedEvent)]
        if not judged:
            return
        began, decision = (
            judged[0].event.event_time,
            question.decision((each.event.event_type, each.event.event_time) for each in judged),
        )
        if decision is not None:
            self.tally.leaks.add(judged, decision.time)
        if question.train_before is not None and began < question.train_before:
            self.tally.began_before += 1
            return
        for landmark in question.landmarks:
            time, tally = began + landmark, self.tally.judgements[landmark]
            outcome = question.outcome(decision, time, self._observed_until)
            if outcome not in tally.pairs:
                tally.leave_out(outcome)
                continue
            later = {event_id for event_id, recorded_at in record_times.items() if recorded_at >= time}
            happened = [each for each in recorded if each.event_time < time]
            known = [each for each in happened if each.event_id not in later]
            judged_known = [each for each in after[: len(happened)] if each.position[1] not in later]
            tally.add(outcome, self._scores_at(time, known, judged_known), len(happened) - len(known))

    def _scores_at(self, landmark: datetime, recorded: Sequence[Event | Adjustment], after: Sequence[Fact]) -> Pair:
        """Returns the scores by both models from the same facts, as if decay had run every day until the landmark."""
        day = self._calendar.date_of(landmark)
        return (
            fold(self._before, self._calendar, self._before.judge_all(recorded), day).score,
            fold(self._after, self._calendar, after, day).score,
        )


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
