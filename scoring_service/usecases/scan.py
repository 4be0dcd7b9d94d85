"""Scans all leads, page by page."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from scoring_service.domain.entry import EntryKind, facts_of
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Adjustment, Timeline
from scoring_service.domain.verification import Stored
from scoring_service.store.facts import FactReader
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
    events: Mapping[str, Mapping[str, Event]]
    checkpoints: Mapping[str, Mapping[int, LeadState]]

    async def one_by_one(self) -> AsyncGenerator[Stored, None]:
        """Yields the leads, and lets other tasks run before each, because folding a lead takes a while."""
        for each in self.leads:
            await asyncio.sleep(0)
            yield each


async def scan_leads(lead_reader: LeadReader, *, check: bool = False) -> AsyncGenerator[Page, None]:
    """Yields all leads ordered by id, including those that lack a row or a history.

    With `check`, pages include the scored events of their entries, and the checkpoints.
    """
    after = ""
    while True:
        async with lead_reader.snapshot():
            timeline = await lead_reader.timeline()
            leads = await lead_reader.stored(after, PAGE_LEADS, PAGE_ENTRIES)
            page = Page(timeline, leads, {}, {})
            if check:
                ids = [
                    entry.event_id for lead in leads for entry in lead.entries or () if entry.kind is EntryKind.EVENT
                ]
                checkpoints = await lead_reader.checkpoints_of([lead.lead_id for lead in leads])
                page = Page(timeline, leads, await lead_reader.scored_events(ids), checkpoints)
        if not leads:
            return
        yield page
        after = leads[-1].lead_id


async def facts_in_pieces(fact_reader: FactReader, stored: Stored) -> AsyncGenerator[list[Event | Adjustment], None]:
    """Yields the recorded facts of a lead: in one piece if its entries are loaded, otherwise in several."""
    if stored.entries is not None:
        yield facts_of(stored.entries)
        return
    async for piece in fact_reader.facts(stored.lead_id):
        yield piece
