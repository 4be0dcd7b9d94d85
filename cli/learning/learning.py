"""Learning a scorecard from the history of all leads."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.exporting.pages import all_items
from cli.learning import scorecard
from cli.learning.facts import Collector, Facts
from cli.learning.histories import KINDS, histories
from cli.learning.scorecard import NothingToLearn, Scorecard
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.output import bar
from shared import wire
from shared.outcomes import Outcome, Question

PAGE = 1_000
"""History entries that are read at a time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to learn, and how; see `leadscore model fit`."""

    question: Question
    splits: Mapping[str, str]
    signs: Mapping[str, int]
    time_zone: tzinfo
    max_rules: int
    seed: int


@dataclass(slots=True)
class _Reading:
    """Reads the history, and counts and digests what it has read."""

    count: int = 0
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """The digest of the ids of all entries, in the order of the history."""
        return self._hash.hexdigest()[:16]

    def entries(self, connection: Connection) -> Iterator[pb.ScoreEntry]:
        """Yields the entries of events and retractions, lead by lead."""
        request = pb.ListScoreEntriesRequest(kinds=KINDS)
        with connection.scoring() as stub, bar("reading the history") as progress:
            for each in all_items(stub.ListScoreEntries, request, "entries", page_size=PAGE):
                self.count += 1
                self._hash.update(f"{each.event_id}\0".encode())
                if not self.count % PAGE:
                    progress.update(self.count)
                yield each


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learnt, and from what; `provenance` says it in sentences."""

    scorecard: Scorecard
    facts: Facts
    provenance: list[str]


def learn(connection: Connection, plan: Plan) -> Lesson:
    """Learns a scorecard.

    Raises:
        CommandError: There is nothing to learn from; the text says why.
    """
    collector, reading = Collector(plan.question, _observed_until(connection), plan.time_zone, plan.splits), _Reading()
    for each in histories(reading.entries(connection)):
        collector.add(each)
    if not collector.leads:
        raise CommandError(_nobody(collector.left_out[Outcome.DECIDED_BEFORE], collector.began_later))
    facts = collector.facts()
    try:
        found = scorecard.fit(facts, max_rules=plan.max_rules, seed=plan.seed, signs=plan.signs)
    except NothingToLearn as error:
        raise CommandError(str(error)) from None
    return Lesson(found, facts, list(_provenance(found, facts, collector, reading)))


def _provenance(found: Scorecard, facts: Facts, collector: Collector, reading: _Reading) -> Iterator[str]:
    yield (
        f"learnt from {found.leads:,} leads, of which {found.converted:,} converted; the first began on "
        f"{facts.first:%Y-%m-%d}, the last on {facts.last:%Y-%m-%d}"
    )
    yield (
        f"left out: {counted(collector.left_out[Outcome.DECIDED_BEFORE], 'lead')} decided before the landmark, "
        f"{collector.left_out[Outcome.CENSORED]:,} whose outcome is unknown, {collector.began_later:,} that began later"
    )
    yield f"AUC of the leads it was fitted to: {found.auc:.3f}; before rounding the points: {found.exact_auc:.3f}"
    yield f"data: {counted(reading.count, 'history entry', 'history entries')}, digest of their ids {reading.digest}"


def _observed_until(connection: Connection) -> datetime:
    request = pb.ListLeadScoresRequest(page_size=1, order=pb.LEAD_ORDER_LAST_EVENT_TIME)
    with connection.scoring() as stub:
        leads = stub.ListLeadScores(request, timeout=CALL_SECONDS).lead_scores
    if not leads:
        raise CommandError("there are no leads to learn from: send their events with `leadscore ingest`")
    return wire.to_time(leads[0].last_event_time)


def _nobody(decided: int, later: int) -> str:
    if decided:
        return f"all {counted(decided, 'lead')} were decided before the landmark: choose an earlier --landmark"
    if later:
        return f"all {counted(later, 'lead')} began at --train-before or later: choose a later day"
    return "the outcome of no lead is known: name the event types of lost leads with --lost, or choose a --horizon"
