"""Scans leads, page by page, and cuts all leads into ranges that can be scanned side by side."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace

from scoring_service.domain.entry import EntryKind
from scoring_service.domain.lead_query import LeadRange
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.timeline import Timeline
from scoring_service.domain.verification import ScoredEvent, Stored
from scoring_service.store.reads import LeadReader

PAGE_LEADS = 500
"""Largest number of leads in one snapshot."""
PAGE_ENTRIES = 5_000
"""Largest number of entries in one snapshot, which a scan holds in memory with their events. The entries of a lead that
alone has more are read in pieces."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is stored of some leads at one point in time, with the timeline and, if requested, their events."""

    timeline: Timeline
    leads: Sequence[Stored]
    events: Mapping[str, Mapping[str, ScoredEvent]]
    checkpoints: Mapping[str, Mapping[int, LeadState]]

    async def one_by_one(self) -> AsyncGenerator[Stored, None]:
        """Yields the leads, and lets other tasks run before each, because folding a lead takes a while."""
        for each in self.leads:
            await asyncio.sleep(0)
            yield each


async def ranges(lead_reader: LeadReader) -> AsyncGenerator[LeadRange, None]:
    """Yields ranges that cover all lead ids, each with at most `PAGE_LEADS` rows."""
    end: str | None = ""
    while end is not None:
        after, end = end, await lead_reader.end_of_range(end, PAGE_LEADS)
        yield LeadRange(after, end)


async def scan_leads(lead_reader: LeadReader, leads: LeadRange, *, check: bool = False) -> AsyncGenerator[Page, None]:
    """Yields the leads of a range ordered by id, including those that lack a row or a history.

    With `check`, pages include the scored events of their entries, and the checkpoints.
    """
    while True:
        async with lead_reader.snapshot():
            timeline = await lead_reader.timeline()
            found = await lead_reader.stored(leads, PAGE_LEADS, PAGE_ENTRIES)
            page = Page(timeline, found, {}, {})
            if check:
                ids = [
                    entry.event_id for lead in found for entry in lead.entries or () if entry.kind is EntryKind.EVENT
                ]
                checkpoints = await lead_reader.checkpoints_of([lead.lead_id for lead in found])
                page = Page(timeline, found, await lead_reader.scored_events(ids), checkpoints)
        if not found:
            return
        yield page
        leads = replace(leads, after=found[-1].lead_id)
