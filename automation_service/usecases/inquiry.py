"""Ask the intelligence service about leads in two steps: first what conditions use, then what deliveries contain.

Most rules hold for few leads. Conditions need little data, while a webhook contains up to 64 KiB of attributes.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain import need
from automation_service.domain.execution import Candidate
from automation_service.domain.lead import Insight, facts_of
from automation_service.domain.need import BASICS, Need
from automation_service.ports import Insights


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Asks for no more than the rules need."""

    insights: Insights
    templates: SandboxedTemplates

    async def judge(self, possible: Collection[Candidate]) -> Mapping[str, Insight]:
        """Returns the insights, by lead, that are needed to evaluate the conditions of the candidates."""
        if not possible:
            return {}
        return await self.insights.of({each.change.lead_id for each in possible}, _of_conditions(possible))

    def needs(self, possible: Sequence[Candidate], judged: Mapping[str, Insight]) -> dict[str, Need]:
        """Returns what the deliveries need beyond the insights of `judge`, for leads for which some rule holds.

        Leads about which enough is known are left out. For the others, everything that any of their rules needs is
        asked for again, so that all of a lead's data is from one time.
        """
        known = _of_conditions(possible)
        needs = dict.fromkeys((each.change.lead_id for each in possible if holds(each, judged)), BASICS)
        for each in possible:
            lead_id, draft = each.change.lead_id, each.rule.draft
            if lead_id in needs:
                delivered = need.of_actions(draft.actions, self.templates.attributes)
                needs[lead_id] |= need.of_conditions(draft.conditions) | delivered
        return {lead_id: needed for lead_id, needed in needs.items() if needed | known != known}

    async def fetch(self, needs: Mapping[str, Need]) -> dict[str, Insight]:
        """Returns the insights with what is needed of each lead. Leads without a score are left out."""
        lead_ids: dict[Need, set[str]] = defaultdict(set)
        for lead_id, needed in needs.items():
            lead_ids[needed].add(lead_id)
        insights: dict[str, Insight] = {}
        for needed, group in lead_ids.items():
            insights |= await self.insights.of(group, needed)
        return insights


def holds(candidate: Candidate, insights: Mapping[str, Insight]) -> bool:
    """Returns whether the conditions of the candidate's rule hold. Without an insight they do not."""
    insight = insights.get(candidate.change.lead_id)
    return insight is not None and candidate.rule.draft.conditions.hold(facts_of(candidate.change, insight))


def _of_conditions(possible: Collection[Candidate]) -> Need:
    needed = BASICS
    for each in possible:
        needed |= need.of_conditions(each.rule.draft.conditions)
    return needed
