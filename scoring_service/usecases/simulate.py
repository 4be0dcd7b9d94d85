"""Someone asks what publishing a model would do."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from scoring_service.domain.fold import Calendar
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.simulation import Difference, Question, Simulation, Summary
from scoring_service.ports import LeadOrder, LeadQuery, Views
from shared.pages import Place

PAGE_LEADS = 200
"""Leads of one snapshot."""


@dataclass(frozen=True, slots=True)
class SimulationProgress:
    """Totals so far, the differences found since the last one, and at the end what it adds up to."""

    leads_total: int
    leads_checked: int = 0
    differences: Sequence[Difference] = ()
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Simulate:
    """Folds every lead under another model. It has no way to write."""

    views: Views
    calendar: Calendar

    async def run(self, model: ScoringModel, question: Question | None) -> AsyncGenerator[SimulationProgress, None]:
        """Yields what publishing a model for all events would change, page by page, and at last the summary."""
        simulation = Simulation(await self.views.timeline(), model, self.calendar, question)
        after: Place = ()
        progress = SimulationProgress(await self.views.count_leads())
        while True:
            async with self.views.snapshot():
                leads = await self.views.list_leads(LeadQuery(LeadOrder.LEAD_ID, PAGE_LEADS, after=after))
                lead_ids = [lead.lead_id for lead in leads]
                entries = await self.views.entries(lead_ids)
                # Decay may have gone past a lead without touching it; publishing applies the ticks of those dates, too.
                decayed = await self.views.decayed_through(lead_ids)
            if not leads:
                break
            found = [simulation.add(each, entries.get(each.lead_id, ()), decayed[each.lead_id]) for each in leads]
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + len(leads),
                differences=[each for each in found if each.is_change],
            )
            yield progress
            after = (leads[-1].lead_id, leads[-1].lead_id)
        yield replace(progress, differences=(), summary=simulation.summary())
