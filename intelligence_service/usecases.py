"""One method per RPC: fetch the facts, then judge them with the model version that they name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from intelligence_service.domain.insight import Insight, LeadFacts, decide, judge
from intelligence_service.domain.model import Model
from intelligence_service.domain.summary import Summary, Tally
from intelligence_service.ports import EVERYTHING, Models, Order, ScoreReader, Wanted

SUMMARY_PAGE_SIZE = 1_000
"""Leads that the pipeline summary reads at a time."""


@dataclass(frozen=True, slots=True)
class Intelligence:
    """The use cases and their dependencies."""

    scores: ScoreReader
    models: Models
    clock: Callable[[], datetime]

    async def one(self, lead_id: str, as_of_time: datetime | None) -> Insight:
        """Returns the insight into one lead.

        Raises:
            LeadNotFound: None of its events has been scored, or none by that time.
        """
        [insight] = await self._judged([await self.scores.one(lead_id, as_of_time)])
        return insight

    async def batch(
        self, lead_ids: Sequence[str], as_of_time: datetime | None, wanted: Wanted = EVERYTHING
    ) -> tuple[list[Insight], list[str]]:
        """Returns the insights into at most 500 leads, and the ids of the unknown ones.

        If `wanted` excludes recent events, velocity is 0: the caller must ignore velocity and all that depends on it.
        """
        insights = await self._judged(await self.scores.batch(lead_ids, as_of_time, wanted))
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
        """Counts all leads; each one counts as it is when its page is read."""
        as_of_time = self.clock()
        tally, page_token, is_last = Tally(await self.models.in_force()), "", False
        while not is_last:
            page = await self.scores.page(Order.LEAD_ID, "", SUMMARY_PAGE_SIZE, page_token)
            models = await self._models(page.leads)
            tally.add((facts, decide(facts, models[facts.model_version])) for facts in page.leads)
            page_token, is_last = page.next_page_token, not page.next_page_token
        return tally.summary(as_of_time)

    async def _judged(self, leads: Sequence[LeadFacts]) -> list[Insight]:
        models = await self._models(leads)
        return [judge(facts, models[facts.model_version]) for facts in leads]

    async def _models(self, leads: Iterable[LeadFacts]) -> dict[int, Model]:
        return {version: await self.models.version(version) for version in {facts.model_version for facts in leads}}
