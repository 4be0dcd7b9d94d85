"""The history: what is appended when something reaches a lead, and what may be concluded from it."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import Enum
from functools import partial, reduce
from itertools import takewhile
from typing import Any

from scoring_service.domain.fold import EMPTY, Calendar, LeadState, advance, evolve, fold, follow, silences, ticks
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import POSITION, Adjustment, JudgedEvent, Step, Timeline

RETRACTION_PREFIX = "retraction:"
_DAY = timedelta(days=1)


class LeadNotFound(Exception):
    """Nothing of this lead was scored, or not by the time asked for."""

    def __init__(self, lead_id: str) -> None:
        super().__init__(f"no event of lead {lead_id!r} has been scored by then")


class EventNotFound(Exception):
    """There is no such event."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"there is no event {event_id!r}")


class EventNotScored(Exception):
    """The event was accepted and waits to be scored."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id!r} waits to be scored: call again")


class RequestIdConflict(Exception):
    """A request id was used for another request."""

    field = "request_id"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id: {request_id!r} was used for another adjustment; nothing was changed")


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
    MODEL = "MODEL"
    ADJUSTMENT = "ADJUSTMENT"
    RETRACTION = "RETRACTION"


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a score. `points` is what the rule gives, `delta` what that did; both in points.

    `target` is the score that an adjustment asked for, if it did.

    `event_id`, `event_type`, `event_time` and `properties` are the event's own, so that it can be judged again; what is
    no event has an id of its own (`decay:<date>:<lead>`, `model:<publication>:<lead>`, `adjustment:<request>`). A
    retraction, `retraction:<event>`, has the type and the time of the event that it takes out.
    """

    sequence: int
    kind: EntryKind
    event_id: str
    event_time: datetime
    record_time: datetime
    model_version: int
    delta: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_type: str = ""
    rule_id: str = ""
    points: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    actor: str = ""
    target: int | None = None

    @property
    def retracted_event_id(self) -> str:
        """The event that a RETRACTION takes out."""
        return self.event_id.removeprefix(RETRACTION_PREFIX)


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as stored: its state, its last entry's sequence (0 if new), and the publication that its state follows."""

    lead_id: str
    sequence: int = 0
    state: LeadState = EMPTY
    publication: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a lead: the state before, the lead after, and the entries between."""

    before: Lead
    after: Lead
    entries: Sequence[Entry]


def steps_of(timeline: Timeline, entries: Iterable[Entry], as_of: datetime | None = None) -> list[Step]:
    """Returns what happened to a lead by its entries, judged by a timeline, in the order of the positions.

    With `as_of` only what had happened by then: steps by their event time, retractions by their record time.
    """
    entries = list(entries)
    gone = {
        entry.retracted_event_id
        for entry in entries
        if entry.kind is EntryKind.RETRACTION and (as_of is None or entry.record_time <= as_of)
    }
    steps: list[Step] = [
        _step(timeline, entry)
        for entry in entries
        if entry.kind in (EntryKind.EVENT, EntryKind.ADJUSTMENT)
        and entry.event_id not in gone
        and (as_of is None or entry.event_time <= as_of)
    ]
    steps.sort(key=POSITION)
    return steps


def replay(timeline: Timeline, calendar: Calendar, entries: Iterable[Entry], through: date | None) -> LeadState:
    """Folds a history again: what happened, judged by a timeline, and the ticks up to a date."""
    return fold(timeline, calendar, steps_of(timeline, entries), through)


def is_stale(timeline: Timeline, calendar: Calendar, lead: Lead) -> bool:
    """Tells whether a publication judges something anew that is folded into a lead's state."""
    changed_from = timeline.changed_from(lead.publication)
    return changed_from is not None and lead.sequence > 0 and lead.state.reaches(changed_from, calendar)


def needs_past(timeline: Timeline, calendar: Calendar, lead: Lead, steps: Iterable[Step], through: date | None) -> bool:
    """Tells whether recording steps and ticks takes the lead's past: it is stale, one is late, or ticks are owed."""
    state = lead.state
    return (
        state.owes(through)
        or is_stale(timeline, calendar, lead)
        or any(state.is_behind(step, calendar) for step in steps)
    )


class Recorder:
    """Follows a lead through what is recorded, and keeps the entries.

    `past` holds the lead's recorded steps, judged by the same timeline, in the order of their positions; it is read
    when `needs_past`, and for a retraction. The state after is `fold` of all steps and ticks, whatever was recorded
    when.
    """

    def __init__(
        self, timeline: Timeline, calendar: Calendar, lead: Lead, past: Sequence[Step], record_time: datetime
    ) -> None:
        self._timeline = timeline
        self._calendar = calendar
        self._lead = lead
        self._past = past
        self._record_time = record_time
        self._state = lead.state
        self._entries: list[Entry] = []
        if lead.sequence and lead.publication < timeline.number:
            self._publication()

    def steps(self, steps: Iterable[Step], through: date | None) -> None:
        """Appends steps, which may come in any order, and all ticks up to a date."""
        in_order = sorted(steps, key=POSITION)
        if needs_past(self._timeline, self._calendar, self._lead, in_order, through):
            # A late step can give ticks an effect that lie before the lead's last step, so all ticks come first.
            self._ticks(through)
        late = list(takewhile(lambda step: self._state.is_behind(step, self._calendar), in_order))
        self._late(late)
        for step in in_order[len(late) :]:
            if through is not None:
                self._ticks(min(through, self._calendar.date_of(step.position[0])))
            self._step(step, follow(self._timeline, self._calendar, [step], through, self._state))
        self._ticks(through)

    def retraction(self, event: JudgedEvent, reason: str, actor: str) -> None:
        """Appends what it does to the score that one of the past events never happened."""
        self._past = [step for step in self._past if step.position != event.position]
        state = fold(self._timeline, self._calendar, self._past, self._state.decayed_through)
        self._append(
            EntryKind.RETRACTION,
            f"{RETRACTION_PREFIX}{event.event.event_id}",
            event.event.event_time,
            event.model,
            state,
            event_type=event.event.event_type,
            rule_id=event.rule_id,
            reason=reason,
            actor=actor,
        )

    @property
    def score(self) -> int:
        """The score so far."""
        return self._state.score

    def recorded(self) -> Recorded:
        """Returns what was recorded."""
        sequence = self._lead.sequence + len(self._entries)
        after = Lead(self._lead.lead_id, sequence, self._state, self._timeline.number)
        return Recorded(self._lead, after, tuple(self._entries))

    def _publication(self) -> None:
        """Folds the past by the models in force now; an entry is left if the score or its stage is another one then."""
        last, state = self._timeline.publications[-1], self._state
        if is_stale(self._timeline, self._calendar, self._lead):
            state = fold(self._timeline, self._calendar, self._past, state.decayed_through)
        stage_before = self._timeline.model_after(self._lead.publication).stage_of(self._state.score)
        if (state.score, self._timeline.latest.stage_of(state.score)) == (self._state.score, stage_before):
            self._state = state
            return
        event_id = f"model:{last.number}:{self._lead.lead_id}"
        model = self._timeline.latest
        self._append(EntryKind.MODEL, event_id, last.publish_time, model, state, stage_before=stage_before)

    def _late(self, steps: Iterable[Step]) -> None:
        """Folds the lead's past again with each step in its place; the delta is the whole difference."""
        through = self._state.decayed_through
        prefix, folded = EMPTY, 0
        for step in steps:
            place = bisect_left(self._past, step.position, lo=folded, key=POSITION)
            prefix = follow(self._timeline, self._calendar, [*self._past[folded:place], step], through, prefix)
            folded = place
            self._step(step, fold(self._timeline, self._calendar, self._past[folded:], through, prefix))

    def _ticks(self, through: date | None) -> None:
        """Appends the ticks up to a date that change the score."""
        if through is None:
            return
        if self._state.owes(through):
            self._owed_ticks(through)
        for tick in ticks(self._timeline, self._calendar, self._state, through):
            self._tick(tick.day, replace(self._state, score=tick.score_after, decayed_through=tick.day), tick.model)
        self._state = advance(self._timeline, self._calendar, self._state, through)

    def _owed_ticks(self, through: date) -> None:
        """Appends the ticks that lie between steps: each is worth what folding the past with it changes.

        A tick finds all earlier ones applied and no later one. So the past before a silence is folded once for all its
        ticks, and what follows the silence for each of them by its steps alone.
        """
        done = self._state.decayed_through or date.min
        before, folded = EMPTY, 0
        for place, last in silences(self._timeline, self._calendar, self._past):
            before = follow(self._timeline, self._calendar, self._past[folded:place], through, before)
            folded, rest = place, self._past[place:]
            for tick in ticks(self._timeline, self._calendar, before, min(last, through)):
                if tick.day > done:
                    start = replace(before, score=tick.score_after)
                    after = reduce(partial(evolve, self._calendar), rest, start)
                    if after.score != self._state.score:
                        self._tick(tick.day, after, tick.model)
        self._state = follow(self._timeline, self._calendar, self._past[folded:], through, before)

    def _tick(self, day: date, state: LeadState, model: ScoringModel) -> None:
        event_id = f"decay:{day.isoformat()}:{self._lead.lead_id}"
        self._append(EntryKind.DECAY, event_id, self._calendar.midnight(day), model, state)

    def _step(self, step: Step, state: LeadState) -> None:
        if isinstance(step, JudgedEvent):
            event = step.event
            self._append(
                EntryKind.EVENT,
                event.event_id,
                event.event_time,
                step.model,
                state,
                event_type=event.event_type,
                rule_id=step.rule_id,
                points=step.points,
                properties=event.properties,
            )
            return
        made = step.adjustment
        self._append(
            EntryKind.ADJUSTMENT,
            made.event_id,
            made.event_time,
            step.model,
            state,
            points=made.points,
            reason=made.reason,
            actor=made.actor,
            target=made.target,
        )

    def _append(
        self,
        kind: EntryKind,
        event_id: str,
        event_time: datetime,
        model: ScoringModel,
        state: LeadState,
        *,
        stage_before: str = "",
        **others: Any,  # noqa: ANN401 (the fields of an entry that its kind alone has)
    ) -> None:
        before, stage_of = self._state.score, self._timeline.latest.stage_of
        self._entries.append(
            Entry(
                sequence=self._lead.sequence + len(self._entries) + 1,
                kind=kind,
                event_id=event_id,
                event_time=event_time,
                record_time=self._record_time,
                model_version=model.version,
                delta=state.score - before,
                score_before=before,
                score_after=state.score,
                stage_before=stage_before or stage_of(before),
                stage_after=stage_of(state.score),
                **others,
            )
        )
        self._state = state


def _step(timeline: Timeline, entry: Entry) -> Step:
    if entry.kind is EntryKind.EVENT:
        return timeline.judge(Event(entry.event_id, entry.event_type, entry.event_time, entry.properties))
    return timeline.judge_adjustment(
        Adjustment(entry.event_id, entry.event_time, entry.points, entry.reason, entry.actor, entry.target)
    )
