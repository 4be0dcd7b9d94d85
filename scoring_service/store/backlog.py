"""How much waits to be scored, as MongoDB tells it from its indexes."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date

from scoring_service.store import documents
from shared import mongo
from shared.inbox.breaker import StoppedDrain, stopped_drain
from shared.inbox.collection import Inbox, PartitionBacklog
from shared.inbox.parking import Parking
from shared.mongo import Database

SAMPLE = 1_000
"""Events of a partition, the oldest, among which its heaviest leads are looked for."""
MAX_CANDIDATES = 3
"""Leads of a partition whose events are counted."""
MAX_LEAD_EVENTS = 10_000
"""Events of a lead that are counted."""
MAX_ISOLATED = 10_000
"""Events tried alone that are counted: they must be read."""


class BacklogReader:
    """`Backlogs` over the inbox and the partitions."""

    def __init__(self, database: Database, events: Inbox) -> None:
        self._database = database
        self._events = events
        self._parking = Parking(events)

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time."""
        return mongo.snapshot(self._database)

    async def pending(self) -> Mapping[int, PartitionBacklog]:
        """Returns what waits in each partition in which some events wait."""
        return await self._events.backlog()

    async def heaviest_leads(self, partitions: Sequence[int], limit: int) -> list[tuple[str, int]]:
        """Returns the leads with the most events that wait in some partitions; see `Backlogs`."""
        found: dict[str, int] = {}
        for partition in partitions:
            for lead_id in await self._events.heaviest_keys(partition, SAMPLE, MAX_CANDIDATES):
                found[lead_id] = await self._events.count_up_to(MAX_LEAD_EVENTS, key=lead_id)
        return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:limit]

    async def isolated(self) -> Mapping[int, int]:
        """Returns how many events that wait are tried alone, by the attempts made."""
        return await self._parking.count_isolated(MAX_ISOLATED)

    async def parked(self) -> int:
        """Returns the number of parked events."""
        return await self._parking.count()

    async def discarded(self) -> int:
        """Returns the number of discarded events."""
        return await self._parking.count_discarded()

    async def stopped(self) -> StoppedDrain | None:
        """Returns why a worker has stopped to score events, if one has."""
        return await stopped_drain(self._events)

    async def decay_dates(self) -> tuple[date | None, date | None]:
        """Returns the earliest and the latest date of the partitions; see `Backlogs`."""
        # Written as texts that sort as the dates do, and empty before the first run.
        texts = [row["through"] async for row in self._database["scoring_partitions"].find({}, {"through": 1})]
        return documents.read_date(min(texts, default="")), documents.read_date(max(texts, default=""))
