"""Simulates the publication of a model."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_query import LeadRange
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.simulation import Difference, Simulation, Summary, Tally
from scoring_service.domain.timeline import Adjustment
from scoring_service.store.facts import FactReader
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.history_writer import off_the_loop
from scoring_service.usecases.scan import ranges
from shared.outcomes import Question

PIECE_FACTS = 5_000
"""Largest number of facts that are in memory for several leads together."""


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
        lead_reader = self.cores.stores.lead_reader
        timeline, total = await lead_reader.timeline(), await lead_reader.count_leads()
        observed_until = await lead_reader.last_event_time() or timeline.publications[-1].publish_time
        asked = partial(_simulate, timeline.number, model, question, observed_until)
        works = (partial(asked, each) async for each in ranges(lead_reader))
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
    leads: LeadRange,
    stores: Stores,
) -> _Found:
    """Simulates the leads of a range, as of one point in time; a publication does not reach a lead without a row."""
    async with stores.lead_reader.snapshot():
        timeline = await stores.lead_writer.timeline(publication)
        simulation = Simulation(timeline, model, stores.calendar, question, observed_until)
        found = await stores.lead_reader.leads_in(leads)
        # A decay run skips leads that its ticks do not change; a publication applies these ticks, too.
        decayed = await stores.lead_reader.decayed_through([lead.lead_id for lead in found])
        differences: list[Difference] = []
        for some in _together(found):
            facts = await _facts_of(stores.fact_reader, some)
            for lead in some:
                recorded, through = facts.get(lead.lead_id, ()), decayed[lead.lead_id]
                differences.append(await off_the_loop(len(recorded), simulation.add, lead, recorded, through))
                await asyncio.sleep(0)  # folding all of them can block the event loop for too long
    return _Found(len(found), [each for each in differences if each.is_change], simulation.tally)


def _together(leads: Sequence[Lead]) -> Iterator[Sequence[Lead]]:
    """Yields leads that together have at most `PIECE_FACTS` facts, or one lead that has more."""
    some: list[Lead] = []
    facts = 0
    for lead in leads:
        facts += lead.state.fact_count
        if some and facts > PIECE_FACTS:
            yield some
            some, facts = [], lead.state.fact_count
        some.append(lead)
    if some:
        yield some


async def _facts_of(fact_reader: FactReader, leads: Sequence[Lead]) -> dict[str, list[Event | Adjustment]]:
    if len(leads) > 1:
        return await fact_reader.facts_of([lead.lead_id for lead in leads])
    return {lead.lead_id: [each async for piece in fact_reader.facts(lead.lead_id) for each in piece] for lead in leads}
