"""Someone asks what publishing a model would do."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from scoring_service.domain.fold import Calendar
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.simulation import Difference, Question, Simulation, Summary
from scoring_service.ports import Views
from scoring_service.usecases.walk import walk


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
        progress = SimulationProgress(await self.views.count_leads())
        async for page in walk(self.views):
            found = [
                # Decay may have gone past a lead without touching it; publishing applies those ticks, too.
                simulation.add(each.lead, each.entries, each.decayed_through)
                async for each in page.one_by_one()
                if each.lead is not None  # publishing does not reach what has no row
            ]
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + len(found),
                differences=[each for each in found if each.is_change],
            )
            yield progress
        yield replace(progress, differences=(), summary=simulation.summary())
