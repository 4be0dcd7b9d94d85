"""The slow lane: scores the events of heavy leads one lead at a time, so that other leads of their partitions go ahead.

Guarantee: a lead stays in the lane until it has no pending events, or until scoring one event fails. Then the ordinary
drain sees the lead again and isolates the event that fails.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from scoring_service import metrics
from scoring_service.domain.lead import LeadUpdate
from scoring_service.domain.model import Event
from scoring_service.store.documents import traceparents_of
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.lead_transaction import LeadTransaction
from shared import logs
from shared.contracts.events import CONTRACT
from shared.deadlines import deadline
from shared.mongo import is_timeout
from shared.rpc.errors import is_transient
from shared.tasks import is_cancelled
from shared.traces import drains

MAX_EVENTS = 2_000
"""Events of one transaction: enough to spread the cost of a replay, few enough to commit within 200 ms."""
MAX_SECONDS = 60.0
"""Longest time for one batch; most of it is spent outside of the transaction."""
PAUSE_SECONDS = 1.0
"""Pause after an error that the events did not cause."""

_LOG = logs.get(__name__)


@dataclass(slots=True)
class SlowLane:
    """Drains heavy leads; `run()` must be running."""

    lead_writer: LeadWriter
    leads: LeadTransaction
    _limits: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, Exception] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lead_ids(self) -> Collection[str]:
        """The leads in the lane, which the ordinary drain leaves out."""
        return self._limits.keys()

    def put(self, lead_id: str) -> None:
        """Puts a lead into the lane.

        Raises:
            Exception: The lead has just failed there; the caller isolates the event that fails.
        """
        if lead_id in self._failed:
            raise self._failed.pop(lead_id)
        self._limits.setdefault(lead_id, MAX_EVENTS)
        self._changed.set()

    async def run(self) -> None:
        """Drains one lead after another until cancelled."""
        while not is_cancelled():
            if not await self.turn():
                self._changed.clear()
                await self._changed.wait()

    async def turn(self) -> bool:
        """Drains one batch of the next lead; returns False if the lane is empty.

        A lead with more pending events goes to the end of the lane.
        """
        if not self._limits:
            return False
        lead_id, limit = next(iter(self._limits.items()))
        try:
            with deadline(MAX_SECONDS):
                is_done = await self.drain(lead_id, limit=limit) < limit
        except Exception as error:  # noqa: BLE001 (`_smaller` classifies it)
            limit = await self._smaller(lead_id, limit, error)
            is_done = not limit
        del self._limits[lead_id]
        if not is_done:
            self._limits[lead_id] = limit
        return True

    async def drain(self, lead_id: str, ids: Sequence[str] | None = None, *, limit: int = MAX_EVENTS) -> int:
        """Scores up to `limit` events of a lead, only those in `ids` if given; returns how many were pending.

        Raises:
            TooLarge: The update would have to replay too many recorded events.
            Exception: The update does not fit into one transaction, or MongoDB is unavailable.
        """
        started = time.perf_counter()
        batch = await self.lead_writer.pending_of(lead_id, limit, ids)
        events = batch.events.get(lead_id, ())
        if events:
            update = await self.leads.record(lead_id, events, batch.rows[lead_id])
            seconds = time.perf_counter() - started
            self._measure(update, events, seconds)
            found = traceparents_of(batch.rows[lead_id]).values() if update else ()
            with drains.span(CONTRACT.collection, len(events), found, seconds=seconds):
                _LOG.info("slow drain", lead=lead_id, events=len(events), ms=round(seconds * 1000, 2))
        return limit if batch.is_full else len(events)

    def _measure(self, update: LeadUpdate | None, events: Sequence[Event], seconds: float) -> None:
        if update is not None:  # otherwise another worker has scored the events
            before, calendar = update.before.state, self.leads.calendar
            positions = ((event.event_time, event.event_id) for event in events)
            metrics.DRAINS.done(len(events), seconds)
            metrics.LATE_EVENTS.inc(sum(before.is_ahead_of(position, calendar) for position in positions))

    async def _smaller(self, lead_id: str, limit: int, error: Exception) -> int:
        """Returns the limit for the next batch after an error; 0 returns the lead to the ordinary drain.

        After a time-out a smaller batch may fit. While the database is unavailable, the limit stays as it is. The lane
        remembers the limit that fits for as long as the lead is in it.
        """
        _LOG.warning("slow drain failed", lead=lead_id, events=limit, error=logs.one_line(error))
        if not is_transient(error) or (is_timeout(error) and limit == 1):
            self._failed[lead_id] = error
            return 0
        await asyncio.sleep(PAUSE_SECONDS)
        return max(1, limit // 4) if is_timeout(error) else limit
