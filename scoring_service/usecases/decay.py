"""Decay comes round."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import EntryKind, Recorded
from scoring_service.domain.timeline import Timeline
from scoring_service.ports import Bell, Scores, Views
from scoring_service.usecases.catching_up import CatchingUp
from scoring_service.usecases.recording import Clock, Due, Recording
from shared import logs

PAGE_LEADS = 500
"""Leads of one transaction."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class DecayProgress:
    """Totals so far of a decay run."""

    through: date
    leads_total: int
    leads_checked: int = 0
    leads_changed: int = 0
    entries: int = 0
    points_removed: int = 0
    done: bool = False

    def plus(self, recorded: Sequence[Recorded]) -> "DecayProgress":
        """Returns the totals with some leads more; what a publication did to them on the way is not decay."""
        deltas = [[entry.delta for entry in each.entries if entry.kind is EntryKind.DECAY] for each in recorded]
        return replace(
            self,
            leads_checked=self.leads_checked + len(recorded),
            leads_changed=self.leads_changed + sum(map(bool, deltas)),
            entries=self.entries + sum(map(len, deltas)),
            points_removed=self.points_removed - sum(map(sum, deltas)),
        )


@dataclass(frozen=True, slots=True)
class DecayRun:
    """Applies decay ticks."""

    scores: Scores
    views: Views
    bell: Bell
    calendar: Calendar
    clock: Clock
    partitions: int

    async def run(self, as_of: datetime) -> AsyncGenerator[DecayProgress, None]:
        """Applies every tick up to the date of `as_of` that was not applied yet, and yields progress.

        Raises:
            Exception: Some leads could not be done; see `CatchingUp`.
        """
        through = self.calendar.date_of(as_of)
        progress = await self._start(through, await self.views.timeline())
        catching_up = CatchingUp(self.scores, self.bell, self.calendar, self.clock)
        async for recorded in catching_up.run(range(self.partitions), partial(self._find, through), PAGE_LEADS):
            progress = progress.plus(recorded)
            yield progress
        _LOG.info("decay", through=through, leads=progress.leads_changed, points=progress.points_removed)
        yield replace(progress, done=True)

    async def dry_run(self, as_of: datetime) -> AsyncGenerator[DecayProgress, None]:
        """Yields what `run` would, writes nothing."""
        through, timeline = self.calendar.date_of(as_of), await self.views.timeline()
        progress = await self._start(through, timeline)
        recording = Recording(self.views, timeline, self.calendar, self.clock())
        async for lead in self.views.quiet_leads(self._quiet_since(through, timeline), through):
            progress = progress.plus(await recording.of([Due(lead, through)]))
            if progress.leads_checked % PAGE_LEADS == 0:
                yield progress
        yield replace(progress, done=True)

    async def _start(self, through: date, timeline: Timeline) -> DecayProgress:
        quiet_since = self._quiet_since(through, timeline)
        return DecayProgress(through, await self.views.count_quiet_leads(quiet_since, through))

    async def _find(self, through: date, partition: int) -> Sequence[str]:
        """Moves a partition on to a date, so that what is scored from now on heeds its ticks, and finds the others."""
        stands = (await self.scores.begin([partition], through))[partition]
        if stands.through != through:
            return ()  # a later date was applied before: nothing is left to do for this one
        timeline = await self.scores.timeline(stands.publication)
        return await self.scores.quiet_leads(partition, self._quiet_since(through, timeline), through)

    def _quiet_since(self, through: date, timeline: Timeline) -> datetime:
        return self.calendar.midnight(through) - timeline.shortest_grace
