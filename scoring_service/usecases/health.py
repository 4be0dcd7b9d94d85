"""Measures whether the model in force still fits."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from scoring_service.domain.health import Examination, Health, HealthQuestion, HealthTally
from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.timeline import Mode, Timeline
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.history_writer import off_the_loop
from scoring_service.usecases.pieces import facts_in_pieces
from scoring_service.usecases.scan import lead_ranges
from shared.outcomes import Question


@dataclass(frozen=True, slots=True)
class HealthProgress:
    """Totals so far, and at the end the result."""

    version: int
    question: Question
    since: datetime
    leads_total: int
    leads_checked: int = 0
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Folds every lead under the model in force. It cannot write."""

    cores: Cores

    async def run(self, asked: HealthQuestion) -> AsyncGenerator[HealthProgress, None]:
        """Yields the progress, range by range, and then how the leads since a date compare with those before it."""
        lead_reader = self.cores.stores.replica_leads
        timeline, total = await self.cores.stores.lead_reader.timeline(), await lead_reader.count_leads()
        since, question = asked.since or _published(timeline), asked.for_model(timeline.latest)
        observed_until = await lead_reader.last_event_time() or since
        examine = partial(_examine, timeline.number, question, since, observed_until)
        works = (partial(examine, each) async for each in lead_ranges(lead_reader))
        progress, tally = HealthProgress(timeline.latest.version, question, since, total), HealthTally()
        async for leads, found in self.cores.for_leads(total).each(works):
            tally.add_all(found)
            progress = replace(progress, leads_checked=progress.leads_checked + leads)
            yield progress
        yield replace(progress, health=tally.health(timeline.latest))


def _published(timeline: Timeline) -> datetime:
    """Returns when the model in force was published; a new engine does not count."""
    publications = [each for each in timeline.publications if each.mode is not Mode.REFOLD]
    return publications[-1].publish_time


async def _examine(
    publication: int,
    question: Question,
    since: datetime,
    observed_until: datetime,
    leads: IdRange,
    stores: Stores,
) -> tuple[int, HealthTally]:
    """Returns the number of leads of a range and their counts, as of one point in time."""
    # Outside of the snapshot, which may be older than the publication.
    timeline = await stores.lead_writer.timeline(publication)
    examination = Examination(timeline, stores.calendar, question, since, observed_until)
    async with stores.replica_leads.snapshot():
        found = await stores.replica_leads.leads_in(leads)
        async for piece in facts_in_pieces(stores.replica_facts, found):
            for _, recorded in piece:
                await off_the_loop(len(recorded), examination.add, recorded)
                await asyncio.sleep(0)  # folding all of them can block the event loop for too long
    return len(found), examination.tally
