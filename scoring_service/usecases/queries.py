"""Answers queries about scores and histories."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import Entry
from scoring_service.domain.errors import LeadNotFound
from scoring_service.domain.fit import Fitness
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_counts import CountQuery, LeadGroup, ScoreRange, idle_leads
from scoring_service.domain.lead_query import LeadQuery
from scoring_service.domain.model import ScoringModel, Verdicts
from scoring_service.store.facts import FactReader
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.as_of import AsOf
from scoring_service.usecases.history_writer import Clock
from shared.rpc.pagination import Cursor


class LeadScore(NamedTuple):
    """The score of a lead at a time, with the number of its events in the velocity window that ends at that time."""

    lead: Lead
    model: ScoringModel
    as_of: datetime
    recent_events: int

    @property
    def fitness(self) -> Fitness:
        """How well the lead fits by its attributes."""
        return self.model.fitness(self.lead.state.attributes.values, self.lead.state.score)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The costly parts of a score that a caller asks for; `attributes` has names, None means all."""

    recent_events: bool = True
    fitness: bool = True
    attributes: frozenset[str] | None = None

    def attributes_to_read(self, model: ScoringModel) -> frozenset[str] | None:
        """Returns the names of the attributes to read: the wanted ones and those that fit rules use; None for all."""
        if self.attributes is None or not self.fitness or model.fit is None:
            return self.attributes
        return self.attributes | {condition.property for rule in model.fit.rules for condition in rule.conditions}


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Queries:
    """Answers queries about scores and histories."""

    lead_reader: LeadReader
    fact_reader: FactReader
    calendar: Calendar
    clock: Clock

    async def score(self, lead_id: str, as_of: datetime | None) -> LeadScore:
        """Returns the score of a lead, now or as of a time.

        Raises:
            LeadNotFound: None of its events was scored by then.
        """
        for score in await self.scores([lead_id], as_of):
            return score
        raise LeadNotFound(lead_id, as_of)

    async def scores(
        self, lead_ids: Sequence[str], as_of: datetime | None, wanted: Wanted = EVERYTHING
    ) -> list[LeadScore]:
        """Returns the scores of the leads that have one, in the given order.

        Parts that were not asked for are undefined.
        """
        async with self.lead_reader.snapshot():
            timeline = await self.lead_reader.timeline()
            leads = await self.lead_reader.leads(lead_ids, wanted.attributes_to_read(timeline.latest))
            if as_of is not None:
                timeline = timeline.as_of(as_of)
                leads = await AsOf(self.lead_reader, self.fact_reader, self.calendar, timeline, as_of).of(leads)
            known = [leads[each] for each in lead_ids if each in leads]
            if not wanted.recent_events:
                return [LeadScore(lead, timeline.latest, as_of or self.clock(), 0) for lead in known]
            return await self._with_recent(known, timeline.latest, as_of)

    async def page(self, query: LeadQuery, stage: str) -> list[LeadScore]:
        """Returns one page of scores.

        Raises:
            UnknownStage: The model has no such stage.
        """
        async with self.lead_reader.snapshot():
            model = (await self.lead_reader.timeline()).latest
            if stage:
                low, high = model.score_range(stage)
                lowest = query.minimum_score if low is None else max(query.minimum_score, low)
                query = replace(query, minimum_score=lowest, below_score=high)
            return await self._with_recent(await self.lead_reader.list_leads(query), model, None)

    async def counts(self, query: CountQuery) -> tuple[datetime, Counter[LeadGroup]]:
        """Counts all leads in groups, as of the returned time.

        The time of its last event says whether a lead is idle and has a recent event, so most leads are counted in an
        index by it. Only those whose number of recent events matters are read one by one. Leads without an event since
        then are the difference to the number of all leads.
        """
        groups: Counter[LeadGroup] = Counter()
        async with self.lead_reader.snapshot():
            as_of = self.clock()
            for scores, is_exact in query.spans():
                await self._count_each(query, scores, query.recent_after(as_of) if is_exact else as_of, as_of, groups)
            for period in query.periods(as_of):
                for score, count in (await self.lead_reader.counts.in_period(period)).items():
                    if not (period.is_recent and query.is_exact(score)):
                        groups[query.group_of(score, int(period.is_recent), is_idle=period.is_idle)] += count
            all_leads = await self.lead_reader.counts.by_score(query.ranges())
            return as_of, groups + idle_leads(dict(zip(query.minimum_scores, all_leads, strict=True)), groups)

    async def history(self, lead_id: str, *, after: Cursor, limit: int, newest_first: bool) -> list[Entry]:
        """Returns one page of a lead's history.

        Raises:
            LeadNotFound: The lead has no history.
        """
        entries = await self.lead_reader.history(lead_id, after=after, limit=limit, newest_first=newest_first)
        if not entries and not after:
            raise LeadNotFound(lead_id)
        return entries

    async def verdicts(self, lead_ids: Sequence[str], event_ids: Sequence[str]) -> Mapping[Verdicts, Sequence[str]]:
        """Returns the ids of recorded events of some leads, by the rules that match them under each version."""
        found: dict[Verdicts, list[str]] = defaultdict(list)
        async with self.lead_reader.snapshot():
            timeline = await self.lead_reader.timeline()
            for event in await self.fact_reader.events(lead_ids, event_ids):
                found[timeline.verdicts(event)].append(event.event_id)
        return found

    async def _count_each(
        self, query: CountQuery, scores: ScoreRange, after: datetime, as_of: datetime, groups: Counter[LeadGroup]
    ) -> None:
        """Counts the leads of a range whose last event is later than `after`, with their recent events."""
        idle_until = query.idle_until(as_of)
        async for leads in self.lead_reader.counts.active(scores, after):
            lead_ids = [lead.lead_id for lead in leads]
            recent = await self.lead_reader.recent_events(lead_ids, query.recent_after(as_of), as_of)
            for lead_id, score, last_event_time in leads:
                groups[query.group_of(score, recent.get(lead_id, 0), is_idle=last_event_time <= idle_until)] += 1

    async def _with_recent(self, leads: Sequence[Lead], model: ScoringModel, as_of: datetime | None) -> list[LeadScore]:
        time = as_of or self.clock()
        window_start = time - model.velocity.window
        active = [lead.lead_id for lead in leads if (lead.state.last_event_time or window_start) > window_start]
        recent = await self.lead_reader.recent_events(active, window_start, time, retracted_by=as_of)
        return [LeadScore(lead, model, time, recent.get(lead.lead_id, 0)) for lead in leads]
