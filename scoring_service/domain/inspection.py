"""The invariants of a lead, checked from what is stored, and the lead as its history says.

The numbers (I3, I4, …) are those of `docs/reliability.md`.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from scoring_service.domain.fold import Calendar, LeadState, fold
from scoring_service.domain.history import Entry, EntryKind, HistoryInconsistent, Lead, replay, steps_of
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold; `lead_id` is empty when it is of no single lead."""

    invariant: str
    lead_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored of a lead: its row, unless that is lost, and its whole history in the order of the sequence.

    `decayed_through` is the date through which its partition is decayed; the lead itself may not have come so far.
    """

    lead_id: str
    lead: Lead | None
    entries: Sequence[Entry]
    decayed_through: date | None

    @property
    def events(self) -> list[Entry]:
        """The entries of events."""
        return [entry for entry in self.entries if entry.kind is EntryKind.EVENT]


def inspect(timeline: Timeline, calendar: Calendar, stored: Stored, events: Mapping[str, Event]) -> Iterator[Violation]:
    """Yields what is wrong with a lead.

    `events` are its scored events by id, those that it has an entry of. A lead that the last publication has not
    reached yet is held to the timeline that its state follows.
    """
    for invariant, message in (
        *_state(timeline, calendar, stored, events),
        *_events(stored.events, events),
        *_verdicts(timeline, stored.events),
    ):
        yield Violation(invariant, stored.lead_id, message)


def rebuilt(timeline: Timeline, calendar: Calendar, stored: Stored) -> Lead:
    """Returns a lead as its history says, by the publication and through the date that its row names.

    Decay and rollouts do not see a lead without a row, so they may have gone past it. Then publication and date are the
    last ones by which the history adds up.

    Raises:
        HistoryInconsistent: The entries contradict each other, or there are none.
    """
    flaw: str | None = "it has a row and no entries"
    for publication, through in _standings(timeline, calendar, stored) if stored.entries else ():
        state = replay(timeline.upto(publication), calendar, stored.entries, through)
        lead = Lead(stored.lead_id, len(stored.entries), state, publication)
        flaw = next((message for _, message in _chain(lead, stored.entries)), None)
        if flaw is None:
            return lead
    raise HistoryInconsistent(stored.lead_id, flaw or "")


def _standings(timeline: Timeline, calendar: Calendar, stored: Stored) -> Iterator[tuple[int, date | None]]:
    """Yields the publications that a lead may follow, each with the date through which it is decayed."""
    if stored.lead is not None:
        yield stored.lead.publication, stored.lead.state.decayed_through
        return
    for number in range(timeline.number, 0, -1):
        yield number, _last_date(timeline.upto(number), calendar, stored)


def _last_date(timeline: Timeline, calendar: Calendar, stored: Stored) -> date | None:
    """Returns the last date whose tick the deltas can hold; from the next one on less than their sum would be left."""
    steps, score = steps_of(timeline, stored.entries), sum(entry.delta for entry in stored.entries)
    if stored.decayed_through is None or not steps:
        return stored.decayed_through
    first = calendar.date_of(steps[0].position[0]).toordinal()
    days = [date.fromordinal(each) for each in range(first, stored.decayed_through.toordinal() + 1)]
    # More ticks never leave more points.
    held = bisect_right(days, -score, key=lambda day: -fold(timeline, calendar, steps, day).score)
    return days[held - 1] if held else None


def _state(
    timeline: Timeline, calendar: Calendar, stored: Stored, events: Mapping[str, Event]
) -> Iterator[tuple[str, str]]:
    if stored.lead is None:
        yield "I7", f"its row is lost, its history has {len(stored.entries)} entries: rebuild it"
        return
    yield from _chain(stored.lead, stored.entries)
    yield from _replays(timeline.upto(stored.lead.publication), calendar, stored.lead, stored.entries, events)


def _chain(lead: Lead, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    sequences = [entry.sequence for entry in entries]
    if sequences != list(range(1, len(entries) + 1)):
        yield "I5", f"the sequence of its {len(entries)} entries is not 1 to {len(entries)} without gaps"
    for before, after in pairwise(entries):
        if before.score_after != after.score_before:
            yield (
                "I5",
                f"entry {after.sequence} begins at {after.score_before}, the one before ends at {before.score_after}",
            )
    for entry in entries:
        if entry.score_before + entry.delta != entry.score_after:
            yield "I5", f"entry {entry.sequence}: {entry.score_before} + {entry.delta} is not {entry.score_after}"
    total = sum(entry.delta for entry in entries)
    if total != lead.state.score:
        yield "I5", f"the deltas add up to {total}, the score is {lead.state.score}"
    if lead.sequence != len(entries):
        yield "I5", f"the lead counts {lead.sequence} entries, its history has {len(entries)}"


def _events(recorded: Sequence[Entry], events: Mapping[str, Event]) -> Iterator[tuple[str, str]]:
    ids = {entry.event_id for entry in recorded}
    if len(ids) != len(recorded):
        yield "I4", f"{len(recorded) - len(ids)} event ids have more than one entry"
    for entry in recorded:
        event = events.get(entry.event_id)
        if event is None:
            yield "I3", f"entry {entry.sequence} is of event {entry.event_id!r}, which is not stored as scored"
        elif (event.event_type, event.event_time) != (entry.event_type, entry.event_time):
            yield "I3", f"entry {entry.sequence} differs from its event {entry.event_id!r} in type or time"


def _verdicts(timeline: Timeline, recorded: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """A verdict can be checked as long as the model that gave it is in force at the event's time."""
    for entry in recorded:
        step = timeline.judge(Event(entry.event_id, entry.event_type, entry.event_time, entry.properties))
        verdict = step.rule_id, step.points
        if step.model.version == entry.model_version and verdict != (entry.rule_id, entry.points):
            yield "I7", f"entry {entry.sequence} says {entry.rule_id!r} gave {entry.points}, the model says {verdict}"


def _replays(
    timeline: Timeline, calendar: Calendar, lead: Lead, entries: Sequence[Entry], events: Mapping[str, Event]
) -> Iterator[tuple[str, str]]:
    through = lead.state.decayed_through
    from_history = replay(timeline, calendar, entries, through)
    if from_history != lead.state:
        yield "I7", f"its history folds to {_short(from_history)}, stored is {_short(lead.state)}"
    from_events = replay(timeline, calendar, [_as_stored(entry, events) for entry in entries], through)
    if from_events != lead.state:
        yield "I7", f"its events fold to {_short(from_events)}, stored is {_short(lead.state)}"


def _as_stored(entry: Entry, events: Mapping[str, Event]) -> Entry:
    """Returns an entry with what the event itself says; only an event that was recorded can be compared."""
    event = events.get(entry.event_id) if entry.kind is EntryKind.EVENT else None
    if event is None:
        return entry
    return replace(entry, event_type=event.event_type, event_time=event.event_time, properties=event.properties)


def _short(state: LeadState) -> str:
    return f"{state.score} points of {state.event_count} events"
