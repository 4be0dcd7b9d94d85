"""Checks the invariants of a stored lead, and rebuilds a lead from its history.

`docs/reliability.md` defines the invariants (I3, I4, …).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import Entry, EntryKind, facts_of
from scoring_service.domain.errors import HistoryInconsistent
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.replay import fold, replay, settle
from scoring_service.domain.timeline import Adjustment, Timeline


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold; `lead_id` is empty if it does not concern a single lead."""

    invariant: str
    lead_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The stored data of a lead: its row, unless that is missing, and its entries in the order of the sequence.

    `entries` is None if the history is too long to be held in memory. `decayed_through` is the date through which the
    partition of the lead is decayed; the lead itself may be decayed to an earlier date.
    """

    lead_id: str
    lead: Lead | None
    entries: Sequence[Entry] | None
    decayed_through: date | None


class ScoredEvent(NamedTuple):
    """What is stored of an event that is marked as scored: its properties only as a digest."""

    event_type: str
    event_time: datetime
    digest: bytes


def wrong_count(sequence: int | None, entries: int) -> Iterator[tuple[str, str]]:
    """Yields a violation if the number of entries of a lead is not the `sequence` of its row; None if it has no row."""
    if sequence is None:
        yield "I7", f"its row is missing, but not its history (number of entries: {entries}): rebuild it"
    elif entries != sequence:
        yield "I5", f"the number of entries is {sequence} in the lead's row, but {entries} in its history"


class Chain:
    """Checks the entries of a lead in order: each must continue the previous one (I5)."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self._last: Entry | None = None

    def check(self, entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
        """Checks the next entries in the order of the sequence, and yields their violations."""
        for entry in entries:
            self.count += 1
            self.total += entry.delta
            if entry.sequence != self.count:
                yield "I5", f"entry number {self.count} has sequence {entry.sequence}"
            if entry.score_before + entry.delta != entry.score_after:
                yield "I5", f"entry {entry.sequence}: {entry.score_before} + {entry.delta} is not {entry.score_after}"
            ended = self._last.score_after if self._last else 0
            if ended != entry.score_before:
                yield (
                    "I5",
                    f"entry {entry.sequence} starts at {entry.score_before}, but the previous entry ended at {ended}",
                )
            self._last = entry

    def end(self, score: int, sequence: int) -> Iterator[tuple[str, str]]:
        """Yields the differences between the score and sequence of a lead and the totals of its entries."""
        if self.total != score:
            yield "I5", f"the deltas add up to {self.total}, the score is {score}"
        yield from wrong_count(sequence, self.count)


class Inspection:
    """Checks the stored data of one lead, piece by piece.

    A lead that the last publication has not reached yet is checked against the timeline that its state follows.
    """

    def __init__(
        self,
        timeline: Timeline,
        calendar: Calendar,
        stored: Stored,
        checkpoints: Mapping[int, LeadState],
        digest_of: Callable[[Mapping[str, Any]], bytes],
    ) -> None:
        """`checkpoints` are the stored ones by number of facts; `digest_of` returns the digest of properties."""
        self._lead = stored.lead
        self._timeline = timeline
        self._followed = timeline.up_to(stored.lead.publication) if stored.lead else timeline
        # This program cannot reproduce a state that another engine folded and that a rollout has not reached yet.
        self._is_foldable = stored.lead is None or timeline.is_of_this_engine(stored.lead.publication)
        self._calendar = calendar
        self._checkpoints = checkpoints
        self._digest_of = digest_of
        self._chain = Chain()
        self._state = EMPTY
        self._wrong_checkpoints = 0

    def entries(self, entries: Sequence[Entry], events: Mapping[str, ScoredEvent]) -> Iterator[tuple[str, str]]:
        """Checks the next entries in the order of the sequence against the scored events that they name, by id."""
        yield from self._chain.check(entries)
        for entry in entries:
            if entry.kind is EntryKind.EVENT:
                yield from self._against_its_event(entry, events.get(entry.event_id))
                yield from self._verdict(entry)

    def facts(self, recorded: Iterable[Event | Adjustment]) -> None:
        """Folds the next recorded facts, ordered by position."""
        if self._lead is None or not self._is_foldable:
            return
        facts = self._followed.judge_all(recorded)
        through = self._lead.state.decayed_through
        for _, _, _, state in replay(self._followed, self._calendar, facts, through, self._state):
            self._state = state
            kept = self._checkpoints.get(state.fact_count)
            self._wrong_checkpoints += kept is not None and kept != state.at_last_fact()

    def end(self) -> Iterator[tuple[str, str]]:
        """Yields the violations of the lead's row and its checkpoints, once all entries and facts are checked."""
        lead = self._lead
        if lead is None:
            yield from wrong_count(None, self._chain.count)
            return
        yield from self._chain.end(lead.state.score, lead.sequence)
        if not self._is_foldable:
            return
        folded = settle(self._followed, self._calendar, self._state, lead.state.decayed_through).state
        if folded != lead.state:
            yield "I7", f"its history folds to {_short(folded)}, but its row has {_short(lead.state)}"
        wrong = self._wrong_checkpoints + sum(number > folded.fact_count for number in self._checkpoints)
        if wrong:
            yield "I7", f"{wrong} of its checkpoints differ from its history: rebuild it"

    def _against_its_event(self, entry: Entry, event: ScoredEvent | None) -> Iterator[tuple[str, str]]:
        if event is None:
            yield "I3", f"entry {entry.sequence} is of event {entry.event_id!r}, which is not stored as scored"
        elif (event.event_type, event.event_time) != (entry.event_type, entry.event_time):
            yield "I3", f"entry {entry.sequence} differs from its event {entry.event_id!r} in type or time"
        elif not entry.verdicts and event.digest != self._digest_of(entry.properties):
            yield "I7", f"entry {entry.sequence} differs from its event {entry.event_id!r} in its properties"

    def _verdict(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """Judges an event again, if the same model is still in force at the time of the event."""
        judged = self._timeline.judge(entry.event)
        verdict = judged.rule_id, judged.points
        recorded = entry.rule_id, entry.points
        if judged.model.version == entry.model_version and verdict != recorded:
            yield "I7", f"entry {entry.sequence} has rule and points {recorded}, but the model gives {verdict}"


def rebuilt(timeline: Timeline, calendar: Calendar, stored: Stored, entries: Sequence[Entry]) -> Lead:
    """Returns a lead as its history implies, with the publication and the decay date of its row.

    Decay and rollouts skip a lead without a row. Then the result has the last publication and the last date with which
    the history adds up.

    Raises:
        HistoryInconsistent: The entries contradict each other, or there are none.
    """
    flaw: str | None = "it has a row and no entries"
    recorded = facts_of(entries)
    for publication, through in _standings(timeline, calendar, stored, entries) if entries else ():
        followed = timeline.up_to(publication)
        state = fold(followed, calendar, followed.judge_all(recorded), through)
        chain = Chain()
        flaws = [*chain.check(entries), *chain.end(state.score, len(entries))]
        if not flaws:
            return Lead(stored.lead_id, len(entries), state, publication)
        flaw = flaws[0][1]
    raise HistoryInconsistent(stored.lead_id, flaw or "")


def _standings(
    timeline: Timeline, calendar: Calendar, stored: Stored, entries: Sequence[Entry]
) -> Iterator[tuple[int, date | None]]:
    """Yields the publications that a lead can follow, each with the date through which the lead would be decayed."""
    if stored.lead is not None:
        yield stored.lead.publication, stored.lead.state.decayed_through
        return
    for number in range(timeline.number, 0, -1):
        yield number, _last_date(timeline.up_to(number), calendar, stored, entries)


def _last_date(timeline: Timeline, calendar: Calendar, stored: Stored, entries: Sequence[Entry]) -> date | None:
    """Returns the last date at which the fold has as many points as the deltas add up to, or the last with more."""
    facts, score = timeline.judge_all(facts_of(entries)), sum(entry.delta for entry in entries)
    if stored.decayed_through is None or not facts:
        return stored.decayed_through
    first = calendar.date_of(facts[0].position[0]).toordinal()
    days = [date.fromordinal(each) for each in range(first, stored.decayed_through.toordinal() + 1)]
    if timeline.lifts_negative_scores:  # ticks also raise negative scores, so the dates are tried one by one
        return next((day for day in reversed(days) if fold(timeline, calendar, facts, day).score == score), None)
    # More ticks never leave more points.
    held = bisect_right(days, -score, key=lambda day: -fold(timeline, calendar, facts, day).score)
    return days[held - 1] if held else None


def _short(state: LeadState) -> str:
    return f"score {state.score} (number of events: {state.event_count})"
