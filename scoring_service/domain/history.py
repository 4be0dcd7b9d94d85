"""The history: what is appended when events and ticks reach a lead, and what may be concluded from it."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import takewhile
from operator import attrgetter
from typing import Any

from scoring_service.domain.fold import EMPTY, Calendar, LeadState, advance, fold, follow, silences, ticks
from scoring_service.domain.model import ResolvedEvent, ScoringModel

POSITION = attrgetter("position")
_DAY = timedelta(days=1)


class LeadNotFound(Exception):
    """Nothing of this lead was scored, or not by the time asked for."""

    def __init__(self, lead_id: str) -> None:
        super().__init__(f"no event of lead {lead_id!r} has been scored by then")


class HistoryInconsistent(Exception):
    """The entries of a lead contradict each other, so no score can be rebuilt from them."""

    def __init__(self, lead_id: str, message: str) -> None:
        super().__init__(
            f"the history of lead {lead_id!r} contradicts itself ({message}); `leadscore verify` lists all"
        )


class EntryKind(Enum):
    """What an entry records."""

    EVENT = "EVENT"
    DECAY = "DECAY"


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a score. `points` is what the rule gave, `delta` what that did; both in points."""

    sequence: int
    kind: EntryKind
    event_id: str
    event_time: datetime
    model_version: int
    delta: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_type: str = ""
    rule_id: str = ""
    points: int = 0
    attributes: Mapping[str, Any] | None = None

    def resolved(self) -> ResolvedEvent:
        """Returns the event that an EVENT entry records, as it was judged."""
        return ResolvedEvent(
            self.event_id,
            self.event_type,
            self.event_time,
            self.rule_id,
            self.points,
            self.model_version,
            self.attributes,
        )


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as stored: its state and the sequence of its last entry (0 for a lead that is new)."""

    lead_id: str
    sequence: int = 0
    state: LeadState = EMPTY


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a lead: the state before, the lead after, and the entries between."""

    before: Lead
    after: Lead
    entries: Sequence[Entry]


def needs_past(calendar: Calendar, lead: Lead, events: Iterable[ResolvedEvent], through: date | None) -> bool:
    """Tells whether recording these events and ticks takes the lead's past: one is late, or ticks are owed."""
    state = lead.state
    owed = state.owed and through is not None and (state.decayed_through is None or state.decayed_through < through)
    return owed or any(state.is_behind(event, calendar) for event in events)


def record(
    model: ScoringModel,
    calendar: Calendar,
    lead: Lead,
    events: Iterable[ResolvedEvent],
    *,
    through: date | None,
    past: Sequence[ResolvedEvent] = (),
) -> Recorded:
    """Records events and all ticks up to a date.

    `past` holds the lead's recorded events in the order of their positions; it is read when `needs_past`. The events
    may come in any order. The state after is `fold` of all events and ticks, whatever was recorded when.
    """
    recorder = _Recorder(model, calendar, lead, past)
    in_order = sorted(events, key=POSITION)
    if needs_past(calendar, lead, in_order, through):
        # A late event can give ticks an effect that lie before the lead's last event, so all ticks come first.
        recorder.ticks(through)
    late = list(takewhile(recorder.is_late, in_order))
    recorder.late(late)
    for event in in_order[len(late) :]:
        recorder.event(event, through)
    recorder.ticks(through)
    return recorder.recorded()


def replay(model: ScoringModel, calendar: Calendar, entries: Iterable[Entry], through: date | None) -> LeadState:
    """Folds a history again: the events as they were judged then, and the ticks."""
    events = sorted((entry.resolved() for entry in entries if entry.kind is EntryKind.EVENT), key=POSITION)
    return fold(model, calendar, events, through)


class _Recorder:
    """Follows a lead through what is recorded and keeps the entries."""

    def __init__(self, model: ScoringModel, calendar: Calendar, lead: Lead, past: Sequence[ResolvedEvent]) -> None:
        self._model = model
        self._calendar = calendar
        self._lead = lead
        self._past = past
        self._state = lead.state
        self._entries: list[Entry] = []

    def is_late(self, event: ResolvedEvent) -> bool:
        """Tells whether an event belongs before something that is recorded."""
        return self._state.is_behind(event, self._calendar)

    def late(self, events: Iterable[ResolvedEvent]) -> None:
        """Folds the lead's past again with each event in its place; the delta is the whole difference."""
        through = self._state.decayed_through
        prefix, folded = EMPTY, 0
        for event in events:
            place = bisect_left(self._past, event.position, lo=folded, key=POSITION)
            prefix = follow(self._model, self._calendar, [*self._past[folded:place], event], through, prefix)
            folded = place
            self._append(event, fold(self._model, self._calendar, self._past[folded:], through, prefix))

    def event(self, event: ResolvedEvent, through: date | None) -> None:
        """Appends an event that stands at the end of the timeline, after the ticks that come before it."""
        if through is not None:
            self.ticks(min(through, self._calendar.date_of(event.event_time)))
        self._append(event, follow(self._model, self._calendar, [event], through, self._state))

    def ticks(self, through: date | None) -> None:
        """Appends the ticks up to a date that change the score."""
        if through is None:
            return
        if self._state.owed:
            self._owed_ticks(through)
        for tick in ticks(self._model, self._calendar, self._state, through):
            self._tick(tick.day, tick.score_before, tick.score_after)
        self._state = advance(self._model, self._calendar, self._state, through)

    def _owed_ticks(self, through: date) -> None:
        """Appends the ticks that lie between events: each is worth what folding the past with it changes."""
        done = self._state.decayed_through or date.min
        for first, last in silences(self._model, self._calendar, self._past):
            for ordinal in range(max(first, done + _DAY).toordinal(), min(last, through).toordinal() + 1):
                day = date.fromordinal(ordinal)
                state = fold(self._model, self._calendar, self._past, day)
                if state.score != self._state.score:
                    self._tick(day, self._state.score, state.score)
                self._state = state

    def _tick(self, day: date, before: int, after: int) -> None:
        event_id = f"decay:{day.isoformat()}:{self._lead.lead_id}"
        self._entries.append(self._entry(EntryKind.DECAY, event_id, self._calendar.midnight(day), before, after))

    def recorded(self) -> Recorded:
        """Returns what was recorded."""
        after = Lead(self._lead.lead_id, self._lead.sequence + len(self._entries), self._state)
        return Recorded(self._lead, after, tuple(self._entries))

    def _append(self, event: ResolvedEvent, state: LeadState) -> None:
        entry = self._entry(EntryKind.EVENT, event.event_id, event.event_time, self._state.score, state.score)
        self._entries.append(
            replace(
                entry,
                event_type=event.event_type,
                rule_id=event.rule_id,
                model_version=event.model_version,
                points=event.points,
                attributes=event.attributes,
            )
        )
        self._state = state

    def _entry(self, kind: EntryKind, event_id: str, event_time: datetime, before: int, after: int) -> Entry:
        return Entry(
            sequence=self._lead.sequence + len(self._entries) + 1,
            kind=kind,
            event_id=event_id,
            event_time=event_time,
            model_version=self._model.version,
            delta=after - before,
            score_before=before,
            score_after=after,
            stage_before=self._model.stage_of(before),
            stage_after=self._model.stage_of(after),
        )
