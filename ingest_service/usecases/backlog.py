"""Monitors the backlog of unscored events, and refuses events of leads and partitions that are behind.

Guarantee: a lead or partition that is behind is refused on its own. All events are refused only if all partitions are
behind. If the backlog cannot be read, events are accepted.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ingest_service import metrics
from ingest_service.domain.backlog import (
    BacklogTooOld,
    LeadBacklog,
    LeadBehind,
    Limits,
    PartitionBehind,
    Refusals,
    RetryLater,
    leads_to_refuse,
)
from ingest_service.store import heaviest_leads, oldest_pending
from shared import logs
from shared.deadlines import deadline
from shared.inbox.collection import Inbox
from shared.tasks import is_cancelled

CHECK_SECONDS = 1.0
"""Shortest interval in seconds between two checks of the backlog."""
MAX_CHECK_SECONDS = 5.0
"""Longest duration of a check, in seconds."""
PAUSE_FACTOR = 9
"""A check is followed by a pause of this many times its duration, so as not to load a database that is behind."""
MAX_PARTITIONS = 8
"""Partitions whose leads are counted in one check, those with the most events first."""
SAMPLE = 20_000
"""The heaviest leads of a partition are searched among this many of its oldest and of its newest events."""
MAX_LOGGED = 10
"""Leads and partitions that a log line names."""

_LOG = logs.get(__name__)


class BacklogMonitor:
    """Decides which events are refused until scoring catches up.

    The age of an event is measured with the clock that set its acceptance time. If that clock jumps, the events that it
    stamped cause wrong decisions only until they are scored.
    """

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime], *, limits: Limits, partitions: int) -> None:
        self._inbox = inbox
        self._clock = clock
        self._limits = limits
        self._partitions = partitions
        self._refusals = Refusals()

    def check_call(self) -> None:
        """Checks whether any events are accepted. Called for every RPC, before its message is parsed.

        Raises:
            BacklogTooOld: All events are refused at the moment.
        """
        if self._refusals.everything is not None:
            raise BacklogTooOld(self._refusals.everything, self._limits.age)

    def refusal(self, lead_id: str) -> RetryLater | None:
        """Returns why events of this lead are refused at the moment, or None if they are accepted."""
        if lead_id in self._refusals.leads:
            return LeadBehind(self._refusals.leads[lead_id])
        if self._refusals.partitions and (partition := self._inbox.partition_of(lead_id)) in self._refusals.partitions:
            return PartitionBehind(partition, self._refusals.partitions[partition], self._limits.age)
        return None

    async def run(self) -> None:
        """Refreshes the decisions until cancelled. Does nothing if there are no limits."""
        clock, has_limits = asyncio.get_running_loop().time, self._limits.age or self._limits.lead_events
        while not is_cancelled():
            start = clock()
            if has_limits:
                await self.refresh()
            await asyncio.sleep(max(CHECK_SECONDS, PAUSE_FACTOR * (clock() - start)))

    async def refresh(self) -> None:
        """Reads the backlog and decides which events to refuse from now on."""
        try:
            with deadline(MAX_CHECK_SECONDS):
                refusals = await self._decide()
        except Exception as error:  # noqa: BLE001 (events are accepted whatever the error)
            _LOG.warning("backlog unknown", error=logs.one_line(error))
            refusals = Refusals()
        previous, self._refusals = self._refusals, refusals
        metrics.REFUSED_LEADS.set(len(refusals.leads))
        metrics.REFUSED_PARTITIONS.set(len(refusals.partitions))
        self._log_changes(previous)

    async def _decide(self) -> Refusals:
        oldest, now = await self._inbox.waiting(), self._clock()
        if not oldest:
            return Refusals()
        late = {number: now - time for number, time in oldest.items() if self._is_too_old(now - time)}
        leads: dict[str, int] = {}
        for partition in await self._to_examine(oldest, late):
            leads |= await self._leads_to_refuse(partition, now)
        partitions = {}
        for partition in late:
            oldest_of_others = await oldest_pending(self._inbox, partition, exclude_leads=leads)
            if oldest_of_others is not None and self._is_too_old(now - oldest_of_others):
                partitions[partition] = now - oldest_of_others
        everything = max(partitions.values()) if len(partitions) == self._partitions else None
        return Refusals(everything, partitions, leads)

    def _is_too_old(self, age: timedelta) -> bool:
        return bool(self._limits.age) and age > self._limits.age

    async def _to_examine(self, oldest: Mapping[int, datetime], late: Mapping[int, timedelta]) -> list[int]:
        """Returns the partitions that may contain a lead to refuse, those with the most events first."""
        limit = self._limits.lead_events
        is_large = limit > 0 and await self._inbox.count_up_to(limit + 1) > limit
        counts = {}
        for partition in oldest if is_large else late:
            count = await self._inbox.count_up_to(limit + 1, partition=partition)
            if partition in late or count > limit:
                counts[partition] = count
        return sorted(counts, key=lambda partition: -counts[partition])[:MAX_PARTITIONS]

    async def _leads_to_refuse(self, partition: int, now: datetime) -> dict[str, int]:
        found = await heaviest_leads(self._inbox, partition, SAMPLE, max(SAMPLE, self._limits.lead_events + 1))
        total = await self._inbox.count_up_to(2 * SAMPLE, partition=partition)
        backlogs = {lead_id: LeadBacklog(events, now - time) for lead_id, (events, time) in found.items()}
        return leads_to_refuse(backlogs, total, self._limits)

    def _log_changes(self, previous: Refusals) -> None:
        now = self._refusals
        new_leads, new_partitions = now.leads.keys() - previous.leads, now.partitions.keys() - previous.partitions
        if new_leads or new_partitions:
            _LOG.warning(
                "refusing events",
                leads=sorted(new_leads)[:MAX_LOGGED],
                partitions=sorted(new_partitions)[:MAX_LOGGED],
                oldest_seconds=round(max((age.total_seconds() for age in now.partitions.values()), default=0)),
                advice="start scoring workers" if now.partitions else "only these leads are affected",
            )
        elif (previous.leads or previous.partitions) and not (now.leads or now.partitions):
            _LOG.info("accepting events again")
