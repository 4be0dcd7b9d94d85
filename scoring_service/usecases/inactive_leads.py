"""Lists the leads that have had no event for some time."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from scoring_service.domain.lead_query import InactiveLead
from scoring_service.domain.model import ScoringModel
from scoring_service.store.backlog import BacklogReader
from scoring_service.store.inactive_leads import InactiveLeadReader
from scoring_service.store.models import ModelStore
from shared.rpc.pagination import Cursor


class InactivePage(NamedTuple):
    """Inactive leads, the model in force, and the earliest decay date of all partitions before they were read."""

    leads: list[InactiveLead]
    model: ScoringModel
    decayed_through: date | None


@dataclass(frozen=True, slots=True)
class InactiveLeads:
    """Lists inactive leads, and says how far the daily run had come."""

    reader: InactiveLeadReader
    models: ModelStore
    backlog: BacklogReader

    async def page(self, since: datetime, after: Cursor, limit: int) -> InactivePage:
        """Returns one page; see `InactiveLeadReader`."""
        decayed_through, _ = await self.backlog.decay_dates()
        model = (await self.models.timeline()).latest
        return InactivePage(await self.reader.page(since, after, limit), model, decayed_through)
