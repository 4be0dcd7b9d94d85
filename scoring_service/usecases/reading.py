"""Reads what the metrics page of a server shows."""

from dataclasses import dataclass

from scoring_service.domain.calendar import Calendar
from scoring_service.metrics import Reading
from scoring_service.usecases.backlog import BacklogReport
from scoring_service.usecases.publishing import Publishing


@dataclass(frozen=True, slots=True)
class MetricsReader:
    """Reads it from the database."""

    backlog: BacklogReport
    publishing: Publishing
    calendar: Calendar

    async def read(self) -> Reading:
        """Returns what is waiting, and how far decay and the rollout of the model are."""
        found = await self.backlog.now()
        through = found.decayed_through.earliest
        _, rollout_leads = await self.publishing.leads_left()
        return Reading(
            pending=found.pending_events,
            oldest=found.oldest_accept_time,
            parked=found.parked_events,
            stopped=found.stopped is not None,
            decayed_through=self.calendar.midnight(through) if through else None,
            decay_lag_days=found.decayed_through.days_behind,
            model_version=(await self.publishing.model(0)).model.version,
            rollout_leads=rollout_leads,
        )
