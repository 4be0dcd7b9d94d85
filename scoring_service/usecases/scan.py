"""Scans leads, page by page, and cuts all leads, or all events, into ranges that can be scanned side by side."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from scoring_service.domain.entry import EntryKind
from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.timeline import Timeline
from scoring_service.domain.verification import ScoredEvent, Stored
from scoring_service.store.reads import LeadReader

PAGE_LEADS = 500
"""Largest number of leads in one snapshot."""
PAGE_ENTRIES = 5_000
"""Largest number of entries in one snapshot, which a scan holds in memory with their events. The entries of a lead that
alone has more are read in pieces."""
PAGE_EVENTS = 5_000
"""Largest number of events in one snapshot."""


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


def lead_ranges(lead_reader: LeadReader, after: str = "") -> AsyncGenerator[IdRange, None]:
    """Yields ranges that cover all lead ids after one, each with at most `PAGE_LEADS` rows."""
    return _ranges(lead_reader.end_of_range, PAGE_LEADS, after)


def event_ranges(lead_reader: LeadReader, after: str = "") -> AsyncGenerator[IdRange, None]:
    """Yields ranges that cover all event ids after one, each with at most `PAGE_EVENTS` rows."""
    return _ranges(lead_reader.events.end_of_range, PAGE_EVENTS, after)


async def scan_leads(lead_reader: LeadReader, leads: IdRange, *, check: bool = False) -> AsyncGenerator[Page, None]:
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
                page = Page(timeline, found, await lead_reader.events.scored(ids), checkpoints)
        if not found:
            return
        yield page
        leads = replace(leads, after=found[-1].lead_id)


async def _ranges(
    end_of_range: Callable[[str, int], Awaitable[str | None]], rows: int, after: str
) -> AsyncGenerator[IdRange, None]:
    end: str | None = after
    while end is not None:
        after, end = end, await end_of_range(end, rows)
        yield IdRange(after, end)
