"""All leads are gone through, page by page."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from scoring_service.domain.inspection import Stored
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Timeline
from scoring_service.ports import Views

PAGE_LEADS = 500
"""Most leads of one snapshot."""
PAGE_ENTRIES = 5_000
"""Most entries of one snapshot, unless one lead alone has more: what a walk keeps in memory, with their events."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is stored of some leads at one point in time, and the models then; with their events, if asked for."""

    timeline: Timeline
    leads: Sequence[Stored]
    events: Mapping[str, Mapping[str, Event]]

    async def one_by_one(self) -> AsyncGenerator[Stored, None]:
        """Yields the leads; before each, whoever else waits has a turn, as folding a long history takes a while."""
        for each in self.leads:
            await asyncio.sleep(0)
            yield each


async def walk(views: Views, *, events: bool = False) -> AsyncGenerator[Page, None]:
    """Yields all leads by their ids, those without a row and those without a history among them.

    `events` asks for the scored events that they have entries of, by lead and id.
    """
    after = ""
    while True:
        async with views.snapshot():
            timeline = await views.timeline()
            leads = await views.stored(after, PAGE_LEADS, PAGE_ENTRIES)
            ids = [entry.event_id for lead in leads for entry in lead.events] if events else []
            page = Page(timeline, leads, await views.scored_events(ids))
        if not leads:
            return
        yield page
        after = leads[-1].lead_id
