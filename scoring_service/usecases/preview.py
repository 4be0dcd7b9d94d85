"""Computes what hypothetical events would do to a lead, without writing anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoring_service.domain.errors import LeadNotFound
from scoring_service.domain.preview import Effect, Hypothesis, Preview
from scoring_service.usecases.cores import Stores
from scoring_service.usecases.history_writer import HistoryWriter, off_the_loop
from scoring_service.usecases.queries import LeadScore


@dataclass(frozen=True, slots=True)
class Previewed:
    """The score of a lead now, what events of a caller would do to it, and what an event of each rule would do."""

    score: LeadScore
    events: Sequence[Effect]
    rules: Sequence[Effect]


@dataclass(frozen=True, slots=True)
class Previews:
    """Folds hypothetical events onto leads in memory, as a drain would fold events that arrive now."""

    stores: Stores

    async def of(self, lead_id: str, hypotheses: Sequence[Hypothesis]) -> Previewed:
        """Returns what events that happen now would do to a lead.

        Raises:
            LeadNotFound: None of its events has been scored.
            HistoryInconsistent: A publication has not reached the lead, and its history contradicts itself.
        """
        leads, calendar, now = self.stores.lead_writer, self.stores.calendar, self.stores.clock()
        async with leads.snapshot():
            stored = (await leads.leads([lead_id])).get(lead_id)
            if stored is None:
                raise LeadNotFound(lead_id)
            standing = await leads.standing(leads.partition_of(lead_id))
            timeline = await leads.timeline(standing.publication)
            writer = HistoryWriter(self.stores.fact_reader, timeline, calendar, now)
            [update] = await writer.updates([writer.pending(stored, standing)])
            begin = now - timeline.latest.velocity.window
            recent = await self.stores.lead_reader.recent_events([lead_id], begin, now)
        preview = Preview(timeline, calendar, update.after.state, standing.through, now)
        score = LeadScore(update.after, timeline.latest, now, recent.get(lead_id, 0))
        count = len(hypotheses) + len(timeline.latest.rules)
        return await off_the_loop(count, lambda: Previewed(score, preview.events(hypotheses), preview.rules()))
