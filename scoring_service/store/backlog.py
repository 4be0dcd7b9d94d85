"""Counts pending events, using indexes only where possible."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date

from scoring_service.store import documents
from shared import mongo
from shared.inbox.breaker import StoppedDrain, stopped_drain
from shared.inbox.collection import Inbox, PartitionBacklog
from shared.inbox.heavy_keys import count_of_key, heaviest_keys
from shared.inbox.parking import Parking
from shared.mongo import Database

SAMPLE = 1_000
"""The oldest events of a partition, among which the heaviest leads are searched."""
MAX_CANDIDATES = 3
"""Largest number of leads of a partition whose events are counted."""
MAX_LEAD_EVENTS = 10_000
"""Largest number of events that are counted for a lead."""
MAX_ISOLATED = 10_000
"""Largest number of isolated events that are counted, because counting has to read each one."""


class BacklogReader:
    """Reads the backlog from the inbox and the partitions. Call its methods inside `snapshot`."""

    def __init__(self, database: Database, events: Inbox) -> None:
        self._database = database
        self._events = events
        self._parking = Parking(events)

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Opens a context in which all reads see one point in time."""
        return mongo.snapshot(self._database)

    async def pending(self) -> Mapping[int, PartitionBacklog]:
        """Returns the backlog of each partition that has pending events."""
        return await self._events.backlog()

    async def heaviest_leads(self, partitions: Sequence[int], limit: int) -> list[tuple[str, int]]:
        """Returns the leads with the most pending events in samples of some partitions, most events first."""
        found: dict[str, int] = {}
        for partition in partitions:
            for lead_id in await heaviest_keys(self._events, partition, SAMPLE, MAX_CANDIDATES):
                found[lead_id] = await count_of_key(self._events, lead_id, MAX_LEAD_EVENTS)
        return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:limit]

    async def isolated(self) -> Mapping[int, int]:
        """Returns the numbers of isolated events by the attempts made."""
        return await self._parking.count_isolated(MAX_ISOLATED)

    async def parked(self) -> int:
        """Returns the number of parked events."""
        return await self._parking.count()

    async def discarded(self) -> int:
        """Returns the number of discarded events."""
        return await self._parking.count_discarded()

    async def stopped(self) -> StoppedDrain | None:
        """Returns why workers have stopped scoring events, if they have."""
        return await stopped_drain(self._events)

    async def decay_dates(self) -> tuple[date | None, date | None]:
        """Returns the earliest and the latest decay date of all partitions; None means never."""
        # Stored as ISO texts, which sort like the dates; empty before the first run.
        texts = [row["through"] async for row in self._database["scoring_partitions"].find({}, {"through": 1})]
        return documents.read_date(min(texts, default="")), documents.read_date(max(texts, default=""))
