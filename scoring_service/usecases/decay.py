"""Runs decay, and resets it."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from scoring_service.domain.decay import Due, due
from scoring_service.domain.entry import EntryKind
from scoring_service.domain.errors import DecayDateAhead
from scoring_service.domain.lead import Decision, Standing
from scoring_service.domain.timeline import Timeline
from scoring_service.usecases.catching_up import CatchingUp, Effects, effects_of
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.history_writer import HistoryWriter
from shared import logs

PAGE_LEADS = 500
"""Largest number of leads in one transaction."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class DecayProgress:
    """Totals so far of a decay run or a decay reset.

    `points_removed` is net: points by which negative scores rise count as less than none.
    """

    through: date
    leads_total: int
    leads_checked: int = 0
    leads_changed: int = 0
    entries: int = 0
    points_removed: int = 0
    done: bool = False

    def plus(self, updates: Sequence[Effects], kind: EntryKind) -> "DecayProgress":
        """Returns the totals with more leads; entries of other kinds, such as MODEL, are not counted."""
        deltas = [[effect.delta for effect in each if effect.kind is kind] for each in updates]
        return replace(
            self,
            leads_checked=self.leads_checked + len(updates),
            leads_changed=self.leads_changed + sum(map(bool, deltas)),
            entries=self.entries + sum(map(len, deltas)),
            points_removed=self.points_removed - sum(map(sum, deltas)),
        )


@dataclass(frozen=True, slots=True)
class DecayRun:
    """Applies decay ticks to all leads, or takes them back."""

    cores: Cores
    partitions: int

    async def run(self, as_of: datetime) -> AsyncGenerator[DecayProgress, None]:
        """Applies all outstanding ticks up to the date of `as_of`, and yields progress.

        Raises:
            DecayDateAhead: The date has not begun on the database server's clock.
            Exception: Some leads failed; see `CatchingUp`.
        """
        through = await self._date_of(as_of)
        progress = await self._start(through, await self._stores.lead_reader.timeline())
        catching_up = CatchingUp(self.cores.for_leads(progress.leads_total))
        async for updates in catching_up.run(range(self.partitions), partial(self._find, through), PAGE_LEADS):
            progress = progress.plus(updates, EntryKind.DECAY)
            yield progress
        _LOG.info("decay", through=through, leads=progress.leads_changed, points=progress.points_removed)
        yield replace(progress, done=True)

    async def dry_run(self, as_of: datetime) -> AsyncGenerator[DecayProgress, None]:
        """Yields the same progress as `run`, but writes nothing.

        Raises:
            DecayDateAhead: See `run`.
        """
        through, timeline = await self._date_of(as_of), await self._stores.lead_reader.timeline()
        progress = await self._start(through, timeline)
        standing = Standing(through, timeline.number)
        async for lead in self._stores.lead_reader.inactive_leads(self._due(through, timeline)):
            writer = HistoryWriter(self._stores.fact_reader, timeline, self._stores.calendar, self._stores.clock())
            updates = await writer.updates([writer.pending(lead, standing)])
            progress = progress.plus(list(map(effects_of, updates)), EntryKind.DECAY)
            if progress.leads_checked % PAGE_LEADS == 0:
                yield progress
        yield replace(progress, done=True)

    async def reset(self, to: date, decision: Decision) -> AsyncGenerator[DecayProgress, None]:
        """Takes back all ticks after a date, with one DECAY_RESET entry for each lead whose score changes.

        Raises:
            Exception: Some leads failed; see `CatchingUp`.
        """
        progress = DecayProgress(to, await self._stores.lead_reader.count_decayed_beyond(to))
        catching_up = CatchingUp(self.cores.for_leads(progress.leads_total))
        find = partial(self._set_back, to, decision)
        async for updates in catching_up.run(range(self.partitions), find, PAGE_LEADS):
            progress = progress.plus(updates, EntryKind.DECAY_RESET)
            yield progress
        _LOG.warning("decay reset", to=to, leads=progress.leads_changed, actor=decision.actor, reason=decision.reason)
        yield replace(progress, done=True)

    @property
    def _stores(self) -> Stores:
        return self.cores.stores

    async def _date_of(self, as_of: datetime) -> date:
        """Returns the date of a time, checked against the clock of the database server: other clocks may be wrong."""
        through, reached = (
            self._stores.calendar.date_of(time) for time in (as_of, await self._stores.lead_writer.database_time())
        )
        if through > reached:
            raise DecayDateAhead(through, reached)
        return through

    async def _start(self, through: date, timeline: Timeline) -> DecayProgress:
        leads = await self._stores.lead_reader.count_inactive_leads(self._due(through, timeline))
        return DecayProgress(through, leads)

    async def _find(self, through: date, partition: int) -> Sequence[str]:
        """Moves a partition to a date, so that drains apply its ticks from now on; returns the leads to catch up."""
        standing = await self._stores.lead_writer.move_decay(partition, through)
        if standing.through != through:
            return ()  # another run has moved it to a later date
        timeline = await self._stores.lead_writer.timeline(standing.publication)
        return await self._stores.lead_writer.inactive_leads(partition, self._due(through, timeline))

    async def _set_back(self, to: date, decision: Decision, partition: int) -> Sequence[str]:
        """Sets a partition back to a date, and returns the leads that are decayed beyond it.

        It also returns them if the partition was set back before, so that a run completes one that was interrupted.
        """
        standing = await self._stores.lead_writer.set_decay_back(partition, to, decision)
        return await self._stores.lead_writer.leads_decayed_beyond(partition, to) if standing.through == to else ()

    def _due(self, through: date, timeline: Timeline) -> Due:
        return due(timeline, self._stores.calendar, through)
