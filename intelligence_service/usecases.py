"""One method per RPC: fetch the facts, then judge them with the model version that they name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from intelligence_service.domain.insight import Hypothesis, Insight, JudgedEffect, LeadFacts, after_events, judge
from intelligence_service.domain.model import Model
from intelligence_service.domain.summary import Summary, grouping_for, summarize
from intelligence_service.ports import EVERYTHING, Models, Order, ScoreReader, Wanted


@dataclass(frozen=True, slots=True)
class Preview:
    """The insight into a lead, what each of some events would do to it, and what an event of each rule would do."""

    insight: Insight
    events: Sequence[JudgedEffect]
    rules: Sequence[JudgedEffect]


@dataclass(frozen=True, slots=True)
class Intelligence:
    """The use cases and their dependencies."""

    scores: ScoreReader
    models: Models

    async def one(self, lead_id: str, as_of_time: datetime | None) -> Insight:
        """Returns the insight into one lead.

        Raises:
            LeadNotFound: None of its events has been scored, or none by that time.
        """
        [insight] = await self._judged([await self.scores.one(lead_id, as_of_time)])
        return insight

    async def preview(self, lead_id: str, events: Sequence[Hypothesis]) -> Preview:
        """Returns what events that happen now, one after the other, would do to a lead.

        Raises:
            LeadNotFound: None of its events has been scored.
            InvalidArgument: There are more than 100 events, or a type is malformed.
        """
        found = await self.scores.preview(lead_id, events)
        facts, model = found.facts, await self.models.version(found.facts.model_version)
        return Preview(
            judge(facts, model),
            [after_events(each, number, facts, model) for number, each in enumerate(found.events, 1)],
            [after_events(each, 1, facts, model) for each in found.rules],
        )

    async def batch(
        self, lead_ids: Sequence[str], as_of_time: datetime | None, wanted: Wanted = EVERYTHING
    ) -> tuple[list[Insight], list[str]]:
        """Returns the insights into at most 500 leads, and the ids of the unknown ones.

        If `wanted` excludes recent events, velocity is 0: the caller must ignore velocity and all that depends on it.
        """
        leads = await self.scores.batch(lead_ids, as_of_time, wanted)
        insights = await self._judged(leads, explain=wanted.thresholds)
        known = {insight.facts.lead_id for insight in insights}
        return insights, [lead_id for lead_id in lead_ids if lead_id not in known]

    async def top(self, order: Order, stage: str, page_size: int, page_token: str) -> tuple[list[Insight], str]:
        """Returns a page of insights, and the token of the next page.

        Raises:
            InvalidArgument: The stage does not exist.
            InvalidPageToken: The token is invalid, or belongs to another order or stage.
        """
        page = await self.scores.page(order, stage, page_size, page_token)
        return await self._judged(page.leads), page.next_page_token

    async def summary(self) -> Summary:
        """Counts all leads, at one point in time, by the model in force."""
        model = await self.models.in_force()
        groups, as_of_time = await self.scores.groups(grouping_for(model))
        return summarize(groups, model, as_of_time)

    async def _judged(self, leads: Sequence[LeadFacts], *, explain: bool = True) -> list[Insight]:
        models = await self._models(leads)
        return [judge(facts, models[facts.model_version], explain=explain) for facts in leads]

    async def _models(self, leads: Iterable[LeadFacts]) -> dict[int, Model]:
        return {version: await self.models.version(version) for version in {facts.model_version for facts in leads}}
