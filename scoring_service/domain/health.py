"""Whether the model in force still fits: the leads since a date, compared with those before it.

Both are measured from the history, by the same fold, so no figures of the past have to be kept.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log, sqrt

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.judgement import ranking_by
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.ranking import Ranking
from scoring_service.domain.replay import fold
from scoring_service.domain.simulation import rescored
from scoring_service.domain.timeline import Adjustment, JudgedEvent, Timeline
from shared.outcomes import DEFAULT_LANDMARK, Outcome, Question

BINS = 10
"""The groups of scores that are compared: as nearly as possible, each has a tenth of the leads before the date."""
MAX_UNKNOWN = 100
"""The maximum number of event types without a rule in a report."""
_Z = 1.644854
"""What chance exceeds in 5 % of cases, in standard deviations."""


@dataclass(frozen=True, slots=True)
class HealthQuestion:
    """What to compare; None stands for the default: what the calibration of the model says, and its publication."""

    conversions: frozenset[str]
    losses: frozenset[str]
    landmark: timedelta | None
    horizon: timedelta | None
    since: datetime | None

    def for_model(self, model: ScoringModel) -> Question:
        """Returns the question that the scores of a model should answer, with one landmark."""
        calibration = model.calibration
        landmark = self.landmark or (calibration.landmark if calibration else DEFAULT_LANDMARK)
        horizon = self.horizon or (calibration.horizon if calibration else None)
        return Question(self.conversions, self.losses, (landmark,), horizon, None)


@dataclass(frozen=True, slots=True)
class Period:
    """The leads that began before the date, or since.

    `leads` had reached the landmark undecided; `ranking` is about those of them whose outcome is known. `events` counts
    the events of the period, of all leads, and `unknown_events` those that no rule matches.
    """

    leads: int
    ranking: Ranking
    events: int
    unknown_events: int


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """How many leads of each period have a score from `minimum` to below the next bin, at the landmark."""

    minimum: int
    before: int
    since: int


@dataclass(frozen=True, slots=True)
class Stability:
    """The population stability index of the scores, and what it stays below in 95 % of cases by chance alone."""

    index: float
    chance: float
    bins: tuple[ScoreBin, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """The two periods, and how their scores differ; None if a period has no leads.

    `unknown_event_types` have the numbers of their events before the date and since, most of the latter first.
    """

    before: Period
    since: Period
    stability: Stability | None
    unknown_event_types: tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class PeriodTally:
    """Counts what belongs to a period. Tallies of different leads add up."""

    scores: Counter[int] = field(default_factory=Counter)
    outcomes: dict[Outcome, Counter[int]] = field(
        default_factory=lambda: {Outcome.CONVERTED: Counter(), Outcome.NOT_CONVERTED: Counter()}
    )
    events: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def add_all(self, other: "PeriodTally") -> None:
        """Adds the counts of other leads."""
        self.scores.update(other.scores)
        for outcome, scores in self.outcomes.items():
            scores.update(other.outcomes[outcome])
        self.events += other.events
        self.unknown.update(other.unknown)

    def period(self, model: ScoringModel) -> Period:
        """Returns the figures of the period."""
        ranking = ranking_by(model, self.outcomes[Outcome.CONVERTED], self.outcomes[Outcome.NOT_CONVERTED])
        return Period(self.scores.total(), ranking, self.events, self.unknown.total())


@dataclass(slots=True)
class HealthTally:
    """Counts leads and events of both periods."""

    before: PeriodTally = field(default_factory=PeriodTally)
    since: PeriodTally = field(default_factory=PeriodTally)

    def add_all(self, other: "HealthTally") -> None:
        """Adds the counts of other leads."""
        self.before.add_all(other.before)
        self.since.add_all(other.since)

    def health(self, model: ScoringModel) -> Health:
        """Returns how the periods compare."""
        before, since = self.before.unknown, self.since.unknown
        types = sorted({*before, *since}, key=lambda each: (-since[each], -before[each], each))[:MAX_UNKNOWN]
        return Health(
            self.before.period(model),
            self.since.period(model),
            stability_of(self.before.scores, self.since.scores),
            tuple((each, before[each], since[each]) for each in types),
        )


class Examination:
    """Folds leads under the model in force, as if it had always been, and counts them in its `tally`.

    `question` has one landmark. Nothing is known of what happened after `observed_until`.
    """

    def __init__(
        self, timeline: Timeline, calendar: Calendar, question: Question, since: datetime, observed_until: datetime
    ) -> None:
        self.tally = HealthTally()
        self._timeline = rescored(timeline, timeline.latest)
        self._calendar = calendar
        self._question = question
        self._since = since
        self._observed_until = observed_until

    def add(self, recorded: Sequence[Event | Adjustment]) -> None:
        """Counts a lead with its recorded facts."""
        facts = self._timeline.judge_all(recorded)
        events = [fact for fact in facts if isinstance(fact, JudgedEvent)]
        if not events:
            return
        for each in events:
            tally = self._period(each.event.event_time)
            tally.events += 1
            if each.rule is None:
                tally.unknown[each.event.event_type] += 1
        began = events[0].event.event_time
        landmark = began + self._question.landmarks[0]
        decision = self._question.decision((each.event.event_type, each.event.event_time) for each in events)
        outcome = self._question.outcome(decision, landmark, self._observed_until)
        if outcome is Outcome.DECIDED_BEFORE or landmark > self._observed_until:
            return
        before = [fact for fact in facts if fact.position[0] < landmark]
        score = fold(self._timeline, self._calendar, before, self._calendar.date_of(landmark)).score
        tally = self._period(began)
        tally.scores[score] += 1
        if outcome in tally.outcomes:
            tally.outcomes[outcome][score] += 1

    def _period(self, time: datetime) -> PeriodTally:
        return self.tally.since if time >= self._since else self.tally.before


def stability_of(before: Mapping[int, int], since: Mapping[int, int]) -> Stability | None:
    """Returns how two distributions of scores differ; None if one of them is empty.

    The index is the sum over the bins of (q - p) ln(q / p), where p and q are the shares of a bin before and since.
    Half a lead is added to each bin, so that an empty one does not make it infinite. If nothing has changed, the index
    is about (1/n + 1/m) times a chi-square with one degree of freedom less than there are bins.
    """
    leads, others = sum(before.values()), sum(since.values())
    if not leads or not others:
        return None
    minimums = list(_minimums(before, since))
    counts = [[0] * len(minimums) for _ in range(2)]
    for number, scores in enumerate((before, since)):
        for score, count in scores.items():
            counts[number][bisect_right(minimums, score) - 1] += count
    half = len(minimums) / 2
    index = 0.0
    for old, new in zip(*counts, strict=True):
        p, q = (old + 0.5) / (leads + half), (new + 0.5) / (others + half)
        index += (q - p) * log(q / p)
    chance = _chi_square(len(minimums) - 1) * (1 / leads + 1 / others)
    return Stability(index, chance, tuple(map(ScoreBin, minimums, *counts)))


def _minimums(before: Mapping[int, int], since: Mapping[int, int]) -> Iterator[int]:
    """Yields where bins begin: a new one once the bins so far have their share of the leads before the date."""
    total, counted, bins = sum(before.values()), 0, 0
    yield min(*before, *since)
    for score in sorted(before)[:-1]:
        counted += before[score]
        if counted * BINS >= (bins + 1) * total:
            bins = counted * BINS // total
            yield score + 1


def _chi_square(degrees: int) -> float:
    """Returns what a chi-square stays below in 95 % of cases (Wilson and Hilferty, 1931)."""
    if not degrees:
        return 0.0
    share = 2 / (9 * degrees)
    return float(degrees * (1 - share + _Z * sqrt(share)) ** 3)
