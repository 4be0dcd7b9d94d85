"""Knows the leads that were erased, and refuses their events or lets the leads begin anew.

Guarantee: a server refuses the events of an erased lead within `REFRESH_SECONDS` of the erasure; what it accepts before
then is erased, too. From then on, no event that was erased is accepted again.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from ingest_service.domain.erasure import LeadBeingErased, LeadErased
from ingest_service.domain.event import Event
from ingest_service.store import ErasureReader
from shared import logs
from shared.contracts.erasures import Digests, ErasureState
from shared.deadlines import deadline
from shared.tasks import is_cancelled

REFRESH_SECONDS = 3.0
"""Interval in seconds at which erasures are read."""
READ_SECONDS = 5.0
"""Longest time to read them, in seconds."""
OVERLAP = timedelta(minutes=1)
"""Changes are read again for this long, because a change may become visible after a later one."""

_LOG = logs.get(__name__)


class ErasedLeads:
    """Keeps the digests of all erased leads in memory, 100 bytes each; `begins_anew` lets them begin anew."""

    def __init__(self, reader: ErasureReader, *, begins_anew: bool) -> None:
        self._reader = reader
        self._begins_anew = begins_anew
        self._digests: Digests | None = None
        self._states: dict[bytes, ErasureState] = {}
        self._seen: datetime | None = None

    def refusal(self, lead_id: str) -> LeadErased | LeadBeingErased | None:
        """Returns why events of this lead are refused, or None if they are accepted."""
        state = self._state_of(lead_id)
        if state is None:
            return None
        if not self._begins_anew:
            return LeadErased()
        return LeadBeingErased() if state is ErasureState.ERASING else None

    async def resent(self, events: Sequence[Event]) -> set[str]:
        """Returns the ids of those of the events that were erased, among events of leads that have begun anew."""
        if self._digests is None or not self._states:
            return set()
        ids = {self._digests.of_event(each.event_id): each.event_id for each in events if self._state_of(each.lead_id)}
        return {ids[digest] for digest in await self._reader.erased(list(ids))} if ids else set()

    async def run(self) -> None:
        """Reads changes every `REFRESH_SECONDS` until cancelled."""
        while not is_cancelled():
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                with deadline(READ_SECONDS):
                    await self.refresh()
            except Exception as error:  # noqa: BLE001 (what is known stays in force)
                _LOG.warning("erasures not read", error=logs.one_line(error))

    async def refresh(self) -> None:
        """Reads the erasures that have changed; the first call reads all of them.

        Raises:
            PyMongoError: MongoDB does not answer.
        """
        if self._digests is None:
            key = await self._reader.key()
            if key is None:
                return  # nothing can have been erased
            self._digests = Digests(key)
        for row in await self._reader.changed_since(self._seen - OVERLAP if self._seen else None):
            self._seen = max(self._seen or row.change_time, row.change_time)
            self._states[row.lead] = row.state

    def _state_of(self, lead_id: str) -> ErasureState | None:
        if self._digests is None or not self._states:
            return None
        return self._states.get(self._digests.of_lead(lead_id))
