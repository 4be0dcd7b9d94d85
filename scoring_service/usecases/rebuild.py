"""Rebuilds the stored states of leads from their histories."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from scoring_service.domain.entry import Entry, facts_of
from scoring_service.domain.errors import HistoryInconsistent, LeadNotFound
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.refold import Refold
from scoring_service.domain.timeline import BEGINNING, Adjustment, Timeline
from scoring_service.domain.verification import Chain, Stored, rebuilt
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.scan import lead_ranges, scan_leads
from shared import logs

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """Totals so far of a rebuild of all leads, and the leads that differed since the previous message."""

    leads_total: int
    leads_checked: int = 0
    leads_changed: int = 0
    changed: Sequence[str] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Whether a rebuild changed the stored state, and the score before it."""

    changed: bool
    score_before: int


@dataclass(frozen=True, slots=True)
class _Folded:
    """A lead folded from its history, with its checkpoints."""

    lead: Lead
    checkpoints: Sequence[LeadState]


@dataclass(frozen=True, slots=True)
class _Found:
    """The leads of a range: their number, those that differed, and the first inconsistency."""

    leads: int
    changed: Sequence[str]
    inconsistent: HistoryInconsistent | None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Replaces stored states with the fold of the histories. It never appends entries: the history is the truth."""

    cores: Cores

    @property
    def _stores(self) -> Stores:
        return self.cores.stores

    async def one(self, lead_id: str) -> Rebuilt:
        """Folds the history of a lead and stores the state and the checkpoints if they differ from the stored ones.

        Raises:
            LeadNotFound: The lead has no history.
            HistoryInconsistent: The entries of the lead contradict each other.
        """
        while True:
            async with self._stores.lead_writer.snapshot():
                lead = (await self._stores.lead_reader.leads([lead_id])).get(lead_id)
                folded = await self._folded(await self._stores.lead_reader.timeline(), lead_id, lead)
                stored = (await self._stores.lead_reader.checkpoints_of([lead_id])).get(lead_id, {})
            result = Rebuilt(folded.lead != lead, lead.state.score if lead else 0)
            if not result.changed and stored == {state.fact_count: state for state in folded.checkpoints}:
                return result
            if await self._stores.lead_writer.transact(partial(self._replace, lead, folded)):
                return result

    async def all(self, *, check_only: bool) -> AsyncGenerator[RebuildProgress, None]:
        """Folds the history of every lead and yields progress; stores what differs unless `check_only`.

        Raises:
            HistoryInconsistent: The entries of a lead contradict each other; all other leads are rebuilt.
        """
        lead_reader = self._stores.lead_reader
        progress = RebuildProgress(await lead_reader.count_leads())
        inconsistent: HistoryInconsistent | None = None
        works = (partial(_rebuild, check_only, each) async for each in lead_ranges(lead_reader))
        async for found in self.cores.for_leads(progress.leads_total).each(works):
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + found.leads,
                leads_changed=progress.leads_changed + len(found.changed),
                changed=found.changed,
            )
            yield progress
            inconsistent = inconsistent or found.inconsistent
        if inconsistent is not None:
            raise inconsistent
        yield replace(progress, changed=(), done=True)

    async def range(self, leads: IdRange, *, check_only: bool) -> "_Found":
        """Folds the history of every lead of a range; see `all`."""
        count, changed = 0, list[str]()
        inconsistent: HistoryInconsistent | None = None
        async for page in scan_leads(self._stores.lead_reader, leads):
            async for stored in page.one_by_one():
                count += 1
                try:
                    if await self._differs(page.timeline, stored, check_only=check_only):
                        changed.append(stored.lead_id)
                except HistoryInconsistent as error:
                    _LOG.warning("rebuild skipped a lead", lead=stored.lead_id, error=str(error))
                    inconsistent = inconsistent or error
        return _Found(count, changed, inconsistent)

    async def _differs(self, timeline: Timeline, stored: Stored, *, check_only: bool) -> bool:
        """Returns whether the state of a lead differs from its history; rebuilds it then, unless `check_only`."""
        if stored.entries is None:
            folded = await self._folded(timeline, stored.lead_id, stored.lead)
            differs = folded.lead != stored.lead
        else:
            differs = rebuilt(timeline, self._stores.calendar, stored, stored.entries) != stored.lead
        if not check_only and (differs or stored.entries is None):
            await self.one(stored.lead_id)
        return differs

    async def _folded(self, timeline: Timeline, lead_id: str, lead: Lead | None) -> _Folded:
        if lead is None:
            return await self._folded_without_row(timeline, lead_id)
        chain, flaws = Chain(), list[tuple[str, str]]()
        async for piece in self._stores.lead_reader.whole_history(lead_id):
            flaws += chain.check(piece)
        refold = await self._refold(timeline, lead, self._stores.fact_reader.facts(lead_id))
        flaws += chain.end(refold.state.score, chain.count)
        if flaws or not chain.count:
            raise HistoryInconsistent(lead_id, flaws[0][1] if flaws else "it has a row and no entries")
        return _Folded(Lead(lead_id, chain.count, refold.state, lead.publication), refold.checkpoints)

    async def _folded_without_row(self, timeline: Timeline, lead_id: str) -> _Folded:
        """Finds the publication and the decay date by trial, with the whole history in memory."""
        entries: list[Entry] = [
            each async for piece in self._stores.lead_reader.whole_history(lead_id) for each in piece
        ]
        if not entries:
            raise LeadNotFound(lead_id)
        stored = Stored(lead_id, None, entries, (await self._stores.lead_reader.decayed_through([lead_id]))[lead_id])
        lead = await asyncio.to_thread(rebuilt, timeline, self._stores.calendar, stored, entries)

        async def facts() -> AsyncIterator[list[Event | Adjustment]]:
            yield facts_of(entries)

        return _Folded(lead, (await self._refold(timeline, lead, facts())).checkpoints)

    async def _refold(self, timeline: Timeline, lead: Lead, facts: AsyncIterator[list[Event | Adjustment]]) -> Refold:
        """Folds a lead from its first fact under its publication and through its decay date."""
        followed, through = timeline.up_to(lead.publication), lead.state.decayed_through
        refold = Refold(
            followed, self._stores.calendar, before=(BEGINNING, ""), through=through, settle_through=through
        )
        refold.begin(EMPTY)
        async for piece in facts:
            await asyncio.to_thread(refold.feed, followed.judge_all(piece))
        refold.end()
        return refold

    async def _replace(self, read: Lead | None, folded: _Folded) -> bool:
        """Stores a rebuilt lead, unless the lead has changed since it was read."""
        await self._stores.lead_writer.take_lead(folded.lead.lead_id)
        if (await self._stores.lead_writer.leads([folded.lead.lead_id])).get(folded.lead.lead_id) != read:
            return False
        await self._stores.lead_writer.replace(folded.lead, folded.checkpoints)
        return True


async def _rebuild(check_only: bool, leads: IdRange, stores: Stores) -> _Found:
    return await Rebuild(Cores(stores)).range(leads, check_only=check_only)
