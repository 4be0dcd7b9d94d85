"""Simulates the publication of a model."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.simulation import Difference, Question, Simulation, Summary
from scoring_service.store.facts import FactReader
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.scan import facts_in_pieces, scan_leads


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

    lead_reader: LeadReader
    fact_reader: FactReader
    calendar: Calendar

    async def run(self, model: ScoringModel, question: Question | None) -> AsyncGenerator[SimulationProgress, None]:
        """Yields what publishing a model for all events would change, page by page, and then the summary."""
        simulation = Simulation(await self.lead_reader.timeline(), model, self.calendar, question)
        progress = SimulationProgress(await self.lead_reader.count_leads())
        async for page in scan_leads(self.lead_reader):
            found: list[Difference] = []
            async for each in page.one_by_one():
                if each.lead is not None:  # a publication does not reach a lead without a row
                    facts = [fact async for piece in facts_in_pieces(self.fact_reader, each) for fact in piece]
                    # A decay run skips leads that its ticks do not change; a publication applies these ticks, too.
                    found.append(await asyncio.to_thread(simulation.add, each.lead, facts, each.decayed_through))
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + len(found),
                differences=[each for each in found if each.is_change],
            )
            yield progress
        yield replace(progress, differences=(), summary=simulation.summary())
