"""Someone corrects a score by hand, or takes an event out of it."""

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import (
    RETRACTION_PREFIX,
    Entry,
    EntryKind,
    EventNotFound,
    EventNotScored,
    Lead,
    LeadNotFound,
    Recorder,
    RequestIdConflict,
)
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import BEGINNING, Adjustment
from scoring_service.ports import Bell, Scores
from scoring_service.usecases.recording import Clock, Recording

ADJUSTMENT_PREFIX = "adjustment:"


@dataclass(frozen=True, slots=True)
class AdjustmentRequest:
    """What is asked for: either `delta` points more, or the score `target`."""

    request_id: str
    lead_id: str
    delta: int | None
    target: int | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Corrections:
    """Appends what people decide. Each is one transaction, and an entry that is there already is the answer.

    A process makes one at a time: many of one lead at once would only conflict, and wait longer for each other.
    """

    scores: Scores
    bell: Bell
    calendar: Calendar
    clock: Clock
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def adjust(self, request: AdjustmentRequest) -> Entry:
        """Adds points to a lead's score, or sets it, and returns the entry.

        Raises:
            LeadNotFound: Nothing of the lead was scored.
            RequestIdConflict: The request's id was used for another adjustment.
        """
        async with self.turn:
            entry, rung = await self.scores.transact(partial(self._adjust, request))
        self.bell.ring(rung)
        return entry

    async def retract(self, event_id: str, reason: str, actor: str) -> tuple[str, Entry | None]:
        """Takes an event's effect out of its lead's score; returns the lead's id and the entry.

        A parked event has no effect: it is discarded, and there is no entry.

        Raises:
            EventNotFound: There is no such event.
            EventNotScored: It waits to be scored.
        """
        async with self.turn:
            lead_id, entry, rung = await self.scores.transact(partial(self._retract, event_id, reason, actor))
        self.bell.ring(rung)
        return lead_id, entry

    async def _adjust(self, request: AdjustmentRequest) -> tuple[Entry, set[int]]:
        found = await self.scores.entry(f"{ADJUSTMENT_PREFIX}{request.request_id}")
        if found is not None:
            return _same(request, *found), set()
        recording, recorder, through = await self._begin(request.lead_id)
        points = request.delta if request.target is None else request.target - recorder.score
        adjustment = Adjustment(
            f"{ADJUSTMENT_PREFIX}{request.request_id}",
            max(recording.now, self._end(recorder.recorded().after)),
            points or 0,
            request.reason,
            request.actor,
            request.target,
        )
        recorder.steps([recording.timeline.judge_adjustment(adjustment)], through)
        return await self._append(recording, recorder, adjustment.event_id)

    def _end(self, lead: Lead) -> datetime:
        """Returns the first instant after all steps and ticks of a lead, some of which may lie ahead of the clock.

        An adjustment rests on the score after them. Before them a floor, a ceiling or decay would take from it.
        """
        state = lead.state
        end = state.last_step[0] + timedelta(milliseconds=1) if state.last_step else BEGINNING
        return max(end, self.calendar.midnight(state.decayed_through)) if state.decayed_through else end

    async def _retract(self, event_id: str, reason: str, actor: str) -> tuple[str, Entry | None, set[int]]:
        retraction_id = f"{RETRACTION_PREFIX}{event_id}"
        found = await self.scores.entry(retraction_id)
        if found is not None:
            return (*found, set())
        discarded_of = await self.scores.discard(event_id, reason, actor, self.clock())
        if discarded_of is not None:
            return discarded_of, None, set()
        lead_id, event = await self._event(event_id)
        recording, recorder, through = await self._begin(lead_id)
        recorder.retraction(recording.timeline.judge(event), reason, actor)
        recorder.steps((), through)
        return (lead_id, *await self._append(recording, recorder, retraction_id))

    async def _begin(self, lead_id: str) -> tuple[Recording, Recorder, date | None]:
        """Takes the lead's partition; returns a recorder that has caught up with it, and the date of its decay."""
        partition = self.scores.partition_of(lead_id)
        stands = (await self.scores.begin([partition]))[partition]
        lead = (await self.scores.leads([lead_id])).get(lead_id)
        if lead is None:
            raise LeadNotFound(lead_id)
        timeline = await self.scores.timeline(stands.publication)
        recording = Recording(self.scores, timeline, self.calendar, self.clock())
        recorder = await recording.begin(lead)
        recorder.steps((), stands.through)
        return recording, recorder, stands.through

    async def _event(self, event_id: str) -> tuple[str, Event]:
        found = await self.scores.entry(event_id)
        if found is not None and found[1].kind is EntryKind.EVENT:
            lead_id, entry = found
            return lead_id, Event(entry.event_id, entry.event_type, entry.event_time, entry.properties)
        if found is None and await self.scores.is_waiting(event_id):
            raise EventNotScored(event_id)
        raise EventNotFound(event_id)

    async def _append(self, recording: Recording, recorder: Recorder, event_id: str) -> tuple[Entry, set[int]]:
        recorded = recorder.recorded()
        rung = await self.scores.append(recording.commit([recorded]))
        return next(entry for entry in recorded.entries if entry.event_id == event_id), rung


def _same(request: AdjustmentRequest, lead_id: str, entry: Entry) -> Entry:
    """Returns the entry that the same request appended before."""
    asked = (lead_id, entry.reason, entry.actor, entry.target)
    if asked != (request.lead_id, request.reason, request.actor, request.target):
        raise RequestIdConflict(request.request_id)
    if request.delta is not None and request.delta != entry.points:
        raise RequestIdConflict(request.request_id)
    return entry
