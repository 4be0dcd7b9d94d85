"""All leads are gone through, page by page."""

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
"""Leads of one snapshot, at most."""
PAGE_ENTRIES = 5_000
"""Entries of one snapshot, at most: what a walk keeps in memory, with their events. A lead that alone has more comes
without its entries, which are read in pieces then."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is stored of some leads at one point in time, and the models then; with their events, if asked for."""

    timeline: Timeline
    leads: Sequence[Stored]
    events: Mapping[str, Mapping[str, Event]]
    checkpoints: Mapping[str, Mapping[int, LeadState]]

    async def one_by_one(self) -> AsyncGenerator[Stored, None]:
        """Yields the leads; before each, whoever else waits has a turn, as folding a history takes a while."""
        for each in self.leads:
            await asyncio.sleep(0)
            yield each


async def scan_leads(lead_reader: LeadReader, *, check: bool = False) -> AsyncGenerator[Page, None]:
    """Yields all leads by their ids, those without a row and those without a history among them.

    `check` asks for the scored events that they have entries of, and for their checkpoints.
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
    """Yields what happened to a lead: at once where its entries are known, else piece by piece, in order."""
    if stored.entries is not None:
        yield facts_of(stored.entries)
        return
    async for piece in fact_reader.facts(stored.lead_id):
        yield piece
