"""The slow lane: heavy leads are drained apart from the others of their partitions, one at a time.

Guarantee: a lead is in the lane until none of its events waits, or one of them fails by itself. Then the ordinary drain
meets the lead again, and cuts its events down to the one that fails.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pymongo.errors import PyMongoError

from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.lead_transaction import LeadTransaction
from shared import logs
from shared.deadlines import deadline
from shared.rpc.errors import is_transient
from shared.tasks import is_cancelled

MAX_EVENTS = 2_000
"""Events of one transaction: enough to spread the cost of a replay, few enough to commit within 200 ms."""
MAX_SECONDS = 60.0
"""Longest time for one of them, most of which is spent outside of its transaction."""
PAUSE_SECONDS = 1.0
"""Wait after an error of the environment."""

_LOG = logs.get(__name__)


@dataclass(slots=True)
class SlowLane:
    """Drains heavy leads; `run()` must be running. `lead_ids` are those that the ordinary drain leaves out."""

    lead_writer: LeadWriter
    leads: LeadTransaction
    _limits: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, Exception] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lead_ids(self) -> Collection[str]:
        """The leads that are in the lane."""
        return self._limits.keys()

    def put(self, lead_id: str) -> None:
        """Puts a lead into the lane.

        Raises:
            Exception: It has just failed there: its events are to be cut down to the one that fails.
        """
        if lead_id in self._failed:
            raise self._failed.pop(lead_id)
        self._limits.setdefault(lead_id, MAX_EVENTS)
        self._changed.set()

    async def run(self) -> None:
        """Drains one lead after the other, until it is cancelled."""
        while not is_cancelled():
            if not await self.turn():
                self._changed.clear()
                await self._changed.wait()

    async def turn(self) -> bool:
        """Drains the next lead once; False when there is none.

        The lead stays in the lane, behind the others, while more of its events wait.
        """
        if not self._limits:
            return False
        lead_id, limit = next(iter(self._limits.items()))
        try:
            with deadline(MAX_SECONDS):
                is_done = await self.drain(lead_id, limit=limit) < limit
        except Exception as error:  # noqa: BLE001 (it is told apart below)
            limit = await self._smaller(lead_id, limit, error)
            is_done = not limit
        del self._limits[lead_id]
        if not is_done:
            self._limits[lead_id] = limit
        return True

    async def drain(self, lead_id: str, ids: Sequence[str] | None = None, *, limit: int = MAX_EVENTS) -> int:
        """Scores up to `limit` events of a lead, those among `ids` if given; returns how many were found.

        Raises:
            TooLarge: The work does not fit into the largest budget.
            PyMongoError: It does not fit into one transaction, or MongoDB is away.
        """
        started = time.perf_counter()
        batch = await self.lead_writer.waiting_of(lead_id, limit, ids)
        events = batch.events.get(lead_id, ())
        if events:
            await self.leads.record(lead_id, events, batch.rows[lead_id])
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            _LOG.info("slow drain", lead=lead_id, events=len(events), ms=milliseconds)
        return limit if batch.is_full else len(events)

    async def _smaller(self, lead_id: str, limit: int, error: Exception) -> int:
        """Returns how many events to try next after an error, 0 to leave the lead to the ordinary drain.

        Fewer events may fit; a database that is away is waited for. The size that fits is remembered while the lead is
        in the lane.
        """
        _LOG.warning("slow drain failed", lead=lead_id, events=limit, error=logs.one_line(error))
        is_timeout = isinstance(error, PyMongoError) and error.timeout
        if not is_transient(error) or (is_timeout and limit == 1):
            self._failed[lead_id] = error
            return 0
        await asyncio.sleep(PAUSE_SECONDS)
        return max(1, limit // 4) if is_timeout else limit
