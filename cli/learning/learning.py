"""Learning a scorecard from the history of all leads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from google.protobuf.duration_pb2 import Duration
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.exporting.pages import all_items
from cli.learning import scorecard
from cli.learning.checks import NothingToLearn, attribute_notes, suspicions, too_good
from cli.learning.facts import Facts
from cli.learning.histories import KINDS, History, histories
from cli.learning.recency import FOREVER
from cli.learning.sample import Collector
from cli.learning.scorecard import Scorecard
from cli.learning.selection import Constraints
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.output import bar
from shared import wire
from shared.message_files import durations
from shared.outcomes import Outcome, Question

PAGE = 1_000
"""History entries that are read at a time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to learn, and how; see `leadscore model fit`."""

    question: Question
    time_zone: tzinfo
    splits: Mapping[str, str] = field(default_factory=dict)
    attributes: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    constraints: Constraints = field(default_factory=Constraints)
    max_rules: int = 30
    seed: int = 0
    accept_leaks: bool = False

    def collector(self, observed_until: datetime, *, later: bool = False) -> Collector:
        """Returns what collects the leads to learn from, or the later ones by which to judge."""
        return Collector(self.question, observed_until, self.time_zone, self.splits, self.attributes, self.seed, later)


@dataclass(frozen=True, slots=True)
class FitResult:
    """What was learnt, and from what.

    `provenance` says in sentences where it comes from, and `notes` what people should know about it.
    """

    scorecard: Scorecard
    facts: Facts
    lead_count: int
    provenance: list[str]
    notes: list[str]


def learn(connection: Connection, plan: Plan) -> FitResult:
    """Learns a scorecard from the history that the scoring service has.

    Raises:
        CommandError: There is nothing to learn from; the text says why.
    """
    collector = plan.collector(_observed_until(connection))
    as_known = plan.question.as_known
    read = histories(_entries(connection), collector.with_properties(), as_known=as_known)
    return learn_from(read, collector, plan)


def learn_from(leads: Iterable[History], collector: Collector, plan: Plan) -> FitResult:
    """Learns a scorecard from leads.

    Raises:
        CommandError: There is nothing to learn from; the text says why.
    """
    for each in leads:
        collector.add(each)
    if not collector.leads:
        raise CommandError(_nobody(collector))
    leaks = [] if plan.accept_leaks else list(collector.leaks.leaks())
    facts = Facts.of(collector, without=plan.without | {leak.event_type for leak in leaks})
    try:
        found = scorecard.fit(facts, max_rules=plan.max_rules, seed=plan.seed, constraints=plan.constraints)
    except NothingToLearn as error:
        raise CommandError(str(error)) from None
    if (flaw := too_good(facts, found.auc)) and not plan.accept_leaks:
        raise CommandError(flaw)
    notes = [
        f"nothing was learnt from {leak.event_type!r}: the outcome follows {leak.followed:,} of its {leak.events:,} "
        "events within 10 minutes, so it may be a part of it; use --accept-leaks to learn from it"
        for leak in leaks
    ]
    notes += [*suspicions(facts), *attribute_notes(collector.sample())]
    return FitResult(found, facts, collector.leads, list(_provenance(found, collector)), notes)


def _entries(connection: Connection) -> Iterator[pb.ScoreEntry]:
    """Yields the entries of events and retractions, lead by lead."""
    request = pb.ListScoreEntriesRequest(kinds=KINDS)
    with connection.scoring() as stub, bar("reading the history") as progress:
        for number, each in enumerate(all_items(stub.ListScoreEntries, request, "entries", page_size=PAGE), 1):
            if not number % PAGE:
                progress.update(number)
            yield each


def _provenance(found: Scorecard, collector: Collector) -> Iterator[str]:
    left_out, question = collector.left_out, collector.question
    yield (
        f"learnt from {counted(collector.leads, 'lead')}, of which {collector.found[True]:,} converted; the first "
        f"began on {collector.first:%Y-%m-%d}, the last on {collector.last:%Y-%m-%d}; digest of their ids "
        f"{collector.digest}"
    )
    yield (
        f"left out: {counted(left_out[Outcome.DECIDED_BEFORE], 'lead')} decided before the landmark, "
        f"{left_out[Outcome.CENSORED]:,} whose outcome is unknown, {collector.excluded_by_time:,} that began later"
    )
    yield (
        f"landmark {_text(question.landmarks[0])}; horizon "
        f"{_text(question.horizon) if question.horizon else 'none'}; conversion "
        f"{', '.join(sorted(question.conversions))}; lost {', '.join(sorted(question.losses)) or 'none'}; "
        f"observed until {collector.observed_until:%Y-%m-%d}"
    )
    decay = "no decay" if found.recency == FOREVER else f"a half-life of {counted(found.recency.half_life_days, 'day')}"
    yield (
        f"AUC of later leads by regressions on earlier ones: {found.time_auc:.3f}; AUC of the leads it was fitted to, "
        f"with {decay}: {found.auc:.3f}, and before rounding the points {found.exact_auc:.3f}"
    )


def _text(span: timedelta) -> str:
    duration = Duration()
    duration.FromTimedelta(span)
    return durations.to_text(duration)


def _observed_until(connection: Connection) -> datetime:
    request = pb.ListLeadScoresRequest(page_size=1, order=pb.LEAD_ORDER_LAST_EVENT_TIME)
    with connection.scoring() as stub:
        leads = stub.ListLeadScores(request, timeout=CALL_SECONDS).lead_scores
    if not leads:
        raise CommandError("there are no leads to learn from: send their events with `leadscore ingest`")
    return wire.to_time(leads[0].last_event_time)


def _nobody(collector: Collector) -> str:
    decided, censored, later = (
        collector.left_out[Outcome.DECIDED_BEFORE],
        collector.left_out[Outcome.CENSORED],
        collector.excluded_by_time,
    )
    if later and not decided + censored:
        return f"all {counted(later, 'lead')} began at --train-before or later: choose a later day"
    if not collector.observed:
        return (
            f"the landmark comes after the end of the data, {collector.observed_until:%Y-%m-%d}, for every lead: "
            "choose an earlier --landmark"
        )
    if decided:
        return f"all {counted(decided, 'lead')} were decided before the landmark: choose an earlier --landmark"
    return "the outcome of no lead is known: name the event types of lost leads with --lost, or choose a --horizon"
