"""Removes the properties of old events and the bodies of old deliveries, and keeps all scores."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from admin_service.domain.erased_rows import Verdicts
from admin_service.store.old_events import OldEvents
from admin_service.store.old_executions import OldExecutions


@dataclass(frozen=True, slots=True)
class CompactionProgress:
    """Totals so far of a run."""

    leads_total: int
    leads_checked: int = 0
    events_compacted: int = 0
    executions_compacted: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Compaction:
    """Removes the properties of events from before a time, and the bodies of deliveries.

    A run that was interrupted is simply run again.
    """

    events: OldEvents
    executions: OldExecutions
    judge: Callable[[Sequence[str], Sequence[str]], Awaitable[Mapping[str, Verdicts]]]

    async def run(self, before: datetime) -> AsyncIterator[CompactionProgress]:
        """Yields progress after each page of leads and of executions, and then the summary."""
        progress = CompactionProgress(await self.events.count_leads())
        async for lead_ids in self.events.leads():
            compacted = await self._compact(lead_ids, before)
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + len(lead_ids),
                events_compacted=progress.events_compacted + compacted,
            )
            yield progress
        async for compacted in self.executions.remove_bodies(before):
            progress = replace(progress, executions_compacted=progress.executions_compacted + compacted)
            yield progress
        yield replace(progress, done=True)

    async def _compact(self, lead_ids: Sequence[str], before: datetime) -> int:
        compacted = 0
        while page := await self.events.page(lead_ids, before):
            leads = list(dict.fromkeys(event.lead_id for event in page))
            verdicts = await self.judge(leads, [event.event_id for event in page])
            removed = await self.events.remove_properties(page, verdicts)
            if not removed:
                break  # they are being erased
            compacted += removed
        return compacted
