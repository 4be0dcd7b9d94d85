"""Corrects scores by hand: adjustments and retractions."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from weakref import WeakValueDictionary

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import ADJUSTMENT_PREFIX, RETRACTION_PREFIX, Entry, EntryKind
from scoring_service.domain.errors import EventNotFound, EventNotScored, RequestIdConflict
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Decision, Standing
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.refold import Refold
from scoring_service.domain.timeline import BEGINNING, Adjustment, Timeline
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import Clock
from scoring_service.usecases.lead_transaction import LeadTransaction, Steps


@dataclass(frozen=True, slots=True)
class AdjustmentRequest:
    """A request to add `delta` points or to set the score to `target`; one of them is None."""

    request_id: str
    lead_id: str
    delta: int | None
    target: int | None
    reason: str
    actor: str

    @property
    def event_id(self) -> str:
        """The id of the entry."""
        return f"{ADJUSTMENT_PREFIX}{self.request_id}"


@dataclass(frozen=True, slots=True)
class Corrections:
    """Appends corrections. Each is one transaction; if its entry exists already, that entry is the result.

    A process makes one correction per lead at a time, because concurrent ones would conflict. A lead with a long
    history does not delay others: see `LeadTransaction`.
    """

    lead_writer: LeadWriter
    leads: LeadTransaction
    calendar: Calendar
    clock: Clock
    locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def adjust(self, request: AdjustmentRequest) -> Entry:
        """Adds points to a lead's score, or sets it, and returns the entry.

        Raises:
            LeadNotFound: The lead has no history.
            RequestIdConflict: The request id was already used for a different adjustment.
            Overtaken: Other transactions changed the lead during every attempt.
        """
        found = await self.lead_writer.entry(request.event_id)
        if found is None:
            made = await self._write(request.lead_id, request.event_id, partial(self._adjustment, request))
            found = made or await self.lead_writer.entry(request.event_id)
        assert found is not None  # noqa: S101 (if the update was not due, the entry exists)
        return _unless_conflicting(request, *found)

    async def retract(self, event_id: str, reason: str, actor: str) -> tuple[str, Entry | None]:
        """Removes the effect of an event from the score of its lead; returns the id of the lead and the entry.

        A parked event has no effect yet: it is discarded, and the entry is None.

        Raises:
            EventNotFound: The event does not exist.
            EventNotScored: The event is still pending.
            Overtaken: Other transactions changed the lead during every attempt.
        """
        retraction_id = f"{RETRACTION_PREFIX}{event_id}"
        found = await self.lead_writer.entry(retraction_id)
        if found is not None:
            return found
        discarded_of = await self.lead_writer.discard(event_id, reason, actor, self.clock())
        if discarded_of is not None:
            return discarded_of, None
        lead_id, event = await self._event(event_id)
        made = await self._write(lead_id, retraction_id, partial(self._retraction, event, Decision(reason, actor)))
        found = made or await self.lead_writer.entry(retraction_id)
        assert found is not None  # noqa: S101 (if the update was not due, the entry exists)
        return found

    async def _write(self, lead_id: str, entry_id: str, steps: Steps) -> tuple[str, Entry] | None:
        """Returns the lead and its new entry; None if another process has appended it in the meantime."""

        async def is_due() -> bool:
            return await self.lead_writer.entry(entry_id, lead_id) is None

        lock = self.locks.setdefault(lead_id, asyncio.Lock())
        async with lock:
            update = await self.leads.run(lead_id, steps, is_due=is_due)
        if update is None:
            return None
        return lead_id, next(entry for entry in update.entries if entry.event_id == entry_id)

    def _adjustment(
        self, request: AdjustmentRequest, builder: HistoryBuilder, standing: Standing, timeline: Timeline
    ) -> Iterator[Refold]:
        """Applies pending ticks and publications first, because `target` refers to the current score."""
        yield from builder.record((), standing)
        points = request.delta if request.target is None else request.target - builder.state.score
        adjustment = Adjustment(
            request.event_id,
            max(self.clock(), self._end_of(builder.state)),
            points or 0,
            request.reason,
            request.actor,
            request.target,
        )
        yield from builder.record([timeline.judge_adjustment(adjustment)], standing)

    def _retraction(
        self, event: Event, decision: Decision, builder: HistoryBuilder, standing: Standing, timeline: Timeline
    ) -> Iterator[Refold]:
        yield from builder.retract(timeline.judge(event), decision, standing)

    def _end_of(self, state: LeadState) -> datetime:
        """Returns the first instant after all facts and ticks of a lead, some of which may be ahead of the clock.

        An adjustment comes after all of them, so that floor, ceiling and decay at later facts do not change its effect.
        """
        end = state.last_fact[0] + timedelta(milliseconds=1) if state.last_fact else BEGINNING
        return max(end, self.calendar.midnight(state.decayed_through)) if state.decayed_through else end

    async def _event(self, event_id: str) -> tuple[str, Event]:
        found = await self.lead_writer.entry(event_id)
        if found is not None and found[1].kind is EntryKind.EVENT:
            lead_id, entry = found
            return lead_id, entry.event
        if found is None and await self.lead_writer.is_pending(event_id):
            raise EventNotScored(event_id)
        raise EventNotFound(event_id)


def _unless_conflicting(request: AdjustmentRequest, lead_id: str, entry: Entry) -> Entry:
    """Returns the entry if the same request appended it, or raises RequestIdConflict."""
    recorded = (lead_id, entry.reason, entry.actor, entry.target)
    if recorded != (request.lead_id, request.reason, request.actor, request.target):
        raise RequestIdConflict(request.request_id)
    if request.delta is not None and request.delta != entry.points:
        raise RequestIdConflict(request.request_id)
    return entry
