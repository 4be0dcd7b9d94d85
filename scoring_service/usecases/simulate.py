"""Simulates the publication of a model."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.simulation import Difference, Simulation, Summary, Tally
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.history_writer import off_the_loop
from scoring_service.usecases.pieces import facts_in_pieces
from scoring_service.usecases.scan import lead_ranges
from shared.outcomes import Question


@dataclass(frozen=True, slots=True)
class SimulationProgress:
    """Totals so far, the differences found since the previous message, and at the end the summary."""

    leads_total: int
    leads_checked: int = 0
    differences: Sequence[Difference] = ()
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Simulate:
    """Folds every lead under another model. It cannot write."""

    cores: Cores

    async def run(self, model: ScoringModel, question: Question | None) -> AsyncGenerator[SimulationProgress, None]:
        """Yields what publishing a model for all events would change, range by range, and then the summary."""
        lead_reader = self.cores.stores.replica_leads
        timeline, total = await self.cores.stores.lead_reader.timeline(), await lead_reader.count_leads()
        observed_until = await lead_reader.last_event_time() or timeline.publications[-1].publish_time
        asked = partial(_simulate, timeline.number, model, question, observed_until)
        works = (partial(asked, each) async for each in lead_ranges(lead_reader))
        progress, tally = SimulationProgress(total), Tally()
        async for found in self.cores.for_leads(total).each(works):
            tally.add(found.tally)
            checked = progress.leads_checked + found.leads
            progress = replace(progress, leads_checked=checked, differences=found.differences)
            yield progress
        yield replace(progress, differences=(), summary=tally.summary(timeline.latest, model, question))


@dataclass(frozen=True, slots=True)
class _Found:
    """The leads of a range: their number, what would change, and the counts."""

    leads: int
    differences: Sequence[Difference]
    tally: Tally


async def _simulate(
    publication: int,
    model: ScoringModel,
    question: Question | None,
    observed_until: datetime,
    leads: IdRange,
    stores: Stores,
) -> _Found:
    """Simulates the leads of a range, as of one point in time; a publication does not reach a lead without a row."""
    # Outside of the snapshot, which may be older than the publication.
    timeline = await stores.lead_writer.timeline(publication)
    simulation = Simulation(timeline, model, stores.calendar, question, observed_until)
    async with stores.replica_leads.snapshot():
        found = await stores.replica_leads.leads_in(leads)
        # A decay run skips leads that its ticks do not change; a publication applies these ticks, too.
        decayed = await stores.replica_leads.decayed_through([lead.lead_id for lead in found])
        differences: list[Difference] = []
        as_known = question is not None and question.as_known
        async for piece in facts_in_pieces(stores.replica_facts, found):
            times = await stores.replica_facts.record_times([lead.lead_id for lead, _ in piece]) if as_known else {}
            for lead, recorded in piece:
                arguments = lead, recorded, decayed[lead.lead_id], times.get(lead.lead_id, {})
                differences.append(await off_the_loop(len(recorded), simulation.add, *arguments))
                await asyncio.sleep(0)  # folding all of them can block the event loop for too long
    return _Found(len(found), [each for each in differences if each.is_change], simulation.tally)
