"""The watch over what waits to be scored: who is refused, and who is not.

Guarantee: a lead or a partition that is behind is refused alone, and all events are refused only when all partitions
are behind. Where it is not known what waits, events are taken.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ingest_service.domain.backlog import (
    BacklogTooOld,
    Behind,
    LeadBehind,
    LeadWaiting,
    Limits,
    PartitionBehind,
    Verdict,
    heavy_leads,
)
from ingest_service.ports import Waiting
from shared import logs
from shared.deadlines import deadline
from shared.tasks import is_cancelled

LOOK_SECONDS = 1.0
"""How often the backlog is looked at, at most."""
MAX_LOOK_SECONDS = 5.0
"""The longest that a look may take."""
REST = 9
"""A look is followed by a rest of so many times what it took: it must not load the database that is behind."""
MAX_PARTITIONS = 8
"""Partitions whose leads one look counts, those with the most events."""
SAMPLE = 20_000
"""Events of a partition, the oldest and the newest each, among which its heaviest leads are looked for."""
MAX_SHOWN = 10
"""Leads and partitions that a log line names."""

_LOG = logs.get(__name__)


class Backlog:
    """Refuses events of what is behind: then nothing is gained by taking more.

    Ages are told by the clock that stamped the events, so that a clock that jumps is believed only until what it
    stamped is scored.
    """

    def __init__(self, waiting: Waiting, clock: Callable[[], datetime], *, limits: Limits, partitions: int) -> None:
        self._waiting = waiting
        self._clock = clock
        self._limits = limits
        self._partitions = partitions
        self._verdict = Verdict()

    def check(self) -> None:
        """Takes part in every call, before its message is read.

        Raises:
            BacklogTooOld: No events at all are taken at the moment.
        """
        if self._verdict.everything is not None:
            raise BacklogTooOld(self._verdict.everything, self._limits.age)

    def refusal(self, lead_id: str, partition: int) -> Behind | None:
        """Returns why an event of a lead is not taken at the moment; None when it is."""
        if lead_id in self._verdict.leads:
            return LeadBehind(self._verdict.leads[lead_id])
        if partition in self._verdict.partitions:
            return PartitionBehind(partition, self._verdict.partitions[partition], self._limits.age)
        return None

    async def watch(self) -> None:
        """Looks until it is cancelled, if there is a limit."""
        clock, is_limited = asyncio.get_running_loop().time, self._limits.age or self._limits.lead_events
        while not is_cancelled():
            began = clock()
            if is_limited:
                await self.look()
            await asyncio.sleep(max(LOOK_SECONDS, REST * (clock() - began)))

    async def look(self) -> None:
        """Finds out which events are to be refused from now on."""
        try:
            with deadline(MAX_LOOK_SECONDS):
                verdict = await self._judge()
        except Exception as error:  # noqa: BLE001 (whatever goes wrong, it is no reason to refuse)
            _LOG.warning("backlog unknown", error=logs.one_line(error))
            verdict = Verdict()
        before, self._verdict = self._verdict, verdict
        self._report(before)

    async def _judge(self) -> Verdict:
        oldest, now = await self._waiting.oldest(), self._clock()
        late = {number: now - time for number, time in oldest.items() if self._is_late(now - time)}
        leads: dict[str, int] = {}
        for partition in await self._to_examine(oldest, late):
            leads |= await self._heavy(partition, now)
        partitions = {}
        for partition in late:
            others = await self._waiting.oldest_of_others(partition, leads)
            if others is not None and self._is_late(now - others):
                partitions[partition] = now - others
        everything = max(partitions.values()) if len(partitions) == self._partitions else None
        return Verdict(everything, partitions, leads)

    def _is_late(self, age: timedelta) -> bool:
        return bool(self._limits.age) and age > self._limits.age

    async def _to_examine(self, oldest: Mapping[int, datetime], late: Mapping[int, timedelta]) -> list[int]:
        """Returns the partitions that may hold a lead that is to be refused, those with the most events."""
        limit = self._limits.lead_events
        is_large = limit > 0 and await self._waiting.count(None, limit + 1) > limit
        counts = {}
        for partition in oldest if is_large else late:
            count = await self._waiting.count(partition, limit + 1)
            if partition in late or count > limit:
                counts[partition] = count
        return sorted(counts, key=lambda partition: -counts[partition])[:MAX_PARTITIONS]

    async def _heavy(self, partition: int, now: datetime) -> dict[str, int]:
        found = await self._waiting.heaviest(partition, SAMPLE, max(SAMPLE, self._limits.lead_events + 1))
        total = await self._waiting.count(partition, 2 * SAMPLE)
        waiting = {lead_id: LeadWaiting(events, now - time) for lead_id, (events, time) in found.items()}
        return heavy_leads(waiting, total, self._limits)

    def _report(self, before: Verdict) -> None:
        now = self._verdict
        began_leads, began_partitions = now.leads.keys() - before.leads, now.partitions.keys() - before.partitions
        if began_leads or began_partitions:
            _LOG.warning(
                "events are refused",
                leads=sorted(began_leads)[:MAX_SHOWN],
                partitions=sorted(began_partitions)[:MAX_SHOWN],
                oldest_seconds=round(max((age.total_seconds() for age in now.partitions.values()), default=0)),
                advice="start scoring workers" if now.partitions else "these leads are heavy; others are not affected",
            )
        elif (before.leads or before.partitions) and not (now.leads or now.partitions):
            _LOG.info("events are taken again")
