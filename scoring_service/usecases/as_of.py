"""Computes leads as of a past time: everything that had happened by then, as far as it is known today."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.refold import CHECKPOINT_FACTS
from scoring_service.domain.replay import advance, fold, settle
from scoring_service.domain.timeline import Timeline
from scoring_service.store.facts import FactReader
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.history_writer import off_the_loop

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class AsOf:
    """Folds the facts up to a time under the models that had been published by then.

    `timeline` is the timeline as of that time. Use it inside a snapshot.
    """

    lead_reader: LeadReader
    fact_reader: FactReader
    calendar: Calendar
    timeline: Timeline
    time: datetime

    async def of(self, leads: Mapping[str, Lead]) -> dict[str, Lead]:
        """Returns the leads that had at least one fact by then, even a fact that was retracted later."""
        known = await self._known(leads)
        decayed = await self.lead_reader.decayed_through(known)
        retracted = await self.lead_reader.retracted_since(known, self.time)
        short = [each for each in known if leads[each].state.fact_count < CHECKPOINT_FACTS or each in retracted]
        facts = await self.fact_reader.facts_of(short, as_of=self.time)
        then: dict[str, Lead] = {}
        for lead_id in known:
            through = self._through(decayed[lead_id])
            if lead_id in short:
                judged = self.timeline.judge_all(facts.get(lead_id, ()))
                state = await off_the_loop(len(judged), fold, self.timeline, self.calendar, judged, through)
            else:
                state = await self._fold_long(leads[lead_id], decayed[lead_id], through)
            then[lead_id] = leads[lead_id]._replace(state=state)
        return then

    async def _known(self, leads: Mapping[str, Lead]) -> list[str]:
        first_times = {lead_id: lead.state.first_event_time for lead_id, lead in leads.items()}
        undecided = [lead_id for lead_id, first in first_times.items() if first is None or first > self.time]
        known = await self.lead_reader.known_at(undecided, self.time) if undecided else set()
        return [lead_id for lead_id in leads if lead_id not in undecided or lead_id in known]

    async def _fold_long(self, lead: Lead, decayed: date | None, through: date | None) -> LeadState:
        """Folds a long history, from the last checkpoint before the time if the lead still matches its checkpoints."""
        state = EMPTY
        if lead.publication == self.timeline.number and lead.state.decayed_through == decayed:
            state = await self.fact_reader.checkpoint(lead.lead_id, (self.time + _MILLISECOND, ""), None)
        async for piece in self.fact_reader.facts(lead.lead_id, after=state.last_fact, as_of=self.time):
            judged = self.timeline.judge_all(piece)
            state = await off_the_loop(len(judged), advance, self.timeline, self.calendar, judged, through, state)
        return settle(self.timeline, self.calendar, state, through).state

    def _through(self, decayed: date | None) -> date | None:
        return None if decayed is None else min(decayed, self.calendar.date_of(self.time))
