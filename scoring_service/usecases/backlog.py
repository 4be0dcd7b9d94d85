"""Reports how many events are pending, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.model import NEVER
from scoring_service.domain.timeline import Publication
from scoring_service.store.backlog import BacklogReader
from scoring_service.store.models import ModelStore
from scoring_service.usecases.history_writer import Clock
from shared.inbox.breaker import StoppedDrain
from shared.inbox.collection import PartitionBacklog

BEHIND = timedelta(seconds=30)
"""A partition is behind if its oldest pending event is older than this."""
MAX_PARTITIONS = 64
"""Largest number of partitions in a report."""
MAX_SAMPLED_PARTITIONS = 4
"""The report looks for heavy leads only in this many partitions, those with the most pending events."""
MAX_LEADS = 10
"""Largest number of leads in a report."""


@dataclass(frozen=True, slots=True)
class DecayedThrough:
    """The earliest and the latest date through which a partition is decayed (None: never), and the days since then."""

    earliest: date | None
    latest: date | None
    days_behind: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog as in `scoring.proto`; `oldest_accept_time` is None if no event is pending.

    `behind` lists the partitions that are behind, oldest first; `heaviest_leads` has pairs of lead id and number of
    pending events; `isolated` maps numbers of failed attempts to numbers of events.
    """

    pending_events: int
    oldest_accept_time: datetime | None
    parked_events: int
    discarded_events: int
    stopped: StoppedDrain | None
    behind: Sequence[tuple[int, PartitionBacklog]]
    heaviest_leads: Sequence[tuple[str, int]]
    isolated: Mapping[int, int]
    decayed_through: DecayedThrough
    rollout: Publication | None


@dataclass(frozen=True, slots=True)
class BacklogReport:
    """Reads the backlog."""

    reader: BacklogReader
    models: ModelStore
    calendar: Calendar
    clock: Clock

    async def now(self) -> Backlog:
        """Returns the backlog at one point in time."""
        now = self.clock()
        async with self.reader.snapshot():
            pending = await self.reader.pending()
            busiest = sorted(pending, key=lambda each: (-pending[each].items, each))[:MAX_SAMPLED_PARTITIONS]
            oldest = sorted(pending.items(), key=lambda each: (each[1].oldest, each[0]))
            return Backlog(
                pending_events=sum(each.items for each in pending.values()),
                oldest_accept_time=oldest[0][1].oldest if oldest else None,
                parked_events=await self.reader.parked(),
                discarded_events=await self.reader.discarded(),
                stopped=await self.reader.stopped(),
                behind=[each for each in oldest if now - each[1].oldest > BEHIND][:MAX_PARTITIONS],
                heaviest_leads=await self.reader.heaviest_leads(busiest, MAX_LEADS),
                isolated=await self.reader.isolated(),
                decayed_through=await self._decayed_through(now),
                rollout=await self.models.unfinished(),
            )

    async def _decayed_through(self, now: datetime) -> DecayedThrough:
        earliest, latest = await self.reader.decay_dates()
        publications = await self.models.publications()
        in_force = (await self.models.get(publications[-1].version)).model
        if in_force.grace == NEVER:
            return DecayedThrough(earliest, latest, 0)
        since = earliest or self.calendar.date_of(publications[0].publish_time)
        return DecayedThrough(earliest, latest, max(0, (self.calendar.date_of(now) - since).days))
