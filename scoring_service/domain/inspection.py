"""The invariants of a lead, checked from what is stored. The numbers (I3, I4, …) are those of `docs/reliability.md`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from scoring_service.domain.fold import Calendar, LeadState
from scoring_service.domain.history import Entry, EntryKind, Lead, replay
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold; `lead_id` is empty when it is of no single lead."""

    invariant: str
    lead_id: str
    message: str


def inspect(
    timeline: Timeline, calendar: Calendar, lead: Lead, entries: Sequence[Entry], events: Mapping[str, Event]
) -> Iterator[Violation]:
    """Yields what is wrong with a lead.

    `entries` is its whole history in the order of the sequence, `events` its scored events by id. A lead that the last
    publication has not reached yet is held to the timeline that its state follows.
    """
    for invariant, message in (
        *_chain(lead, entries),
        *_events(entries, events),
        *_verdicts(timeline, entries),
        *_replays(timeline.upto(lead.publication), calendar, lead, entries, events),
    ):
        yield Violation(invariant, lead.lead_id, message)


def chain_flaw(lead: Lead, entries: Sequence[Entry]) -> str | None:
    """Returns the first reason for which the entries cannot be this lead's history, None when they can."""
    return next((message for _, message in _chain(lead, entries)), None)


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


def _events(entries: Sequence[Entry], events: Mapping[str, Event]) -> Iterator[tuple[str, str]]:
    recorded = [entry for entry in entries if entry.kind is EntryKind.EVENT]
    ids = {entry.event_id for entry in recorded}
    if len(ids) != len(recorded):
        yield "I4", f"{len(recorded) - len(ids)} event ids have more than one entry"
    for entry in recorded:
        event = events.get(entry.event_id)
        if event is None:
            yield "I3", f"entry {entry.sequence} is of event {entry.event_id!r}, which is not stored as scored"
        elif (event.event_type, event.event_time) != (entry.event_type, entry.event_time):
            yield "I3", f"entry {entry.sequence} differs from its event {entry.event_id!r} in type or time"
    for event_id in events.keys() - ids:
        yield "I3", f"event {event_id!r} is stored as scored and has no entry"


def _verdicts(timeline: Timeline, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """A verdict can be checked as long as the model that gave it is in force at the event's time."""
    for entry in entries:
        if entry.kind is EntryKind.EVENT:
            step = timeline.judge(Event(entry.event_id, entry.event_type, entry.event_time, entry.properties))
            verdict = step.rule_id, step.points
            if step.model.version == entry.model_version and verdict != (entry.rule_id, entry.points):
                yield (
                    "I7",
                    f"entry {entry.sequence} says {entry.rule_id!r} gave {entry.points}, the model says {verdict}",
                )


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
