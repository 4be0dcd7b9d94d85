"""Ask the intelligence service about leads: first what decides whether rules hold, then what receivers are told.

Most rules hold for few leads, and what decides is little; what a webhook is told can be 64 KiB of attributes.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from automation_service.domain import need
from automation_service.domain.execution import Candidate
from automation_service.domain.lead import Insight, facts_of
from automation_service.domain.need import NO_MORE, Need
from automation_service.ports import Insights, Templates


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Asks no more than rules need."""

    insights: Insights
    templates: Templates

    async def judge(self, possible: Collection[Candidate]) -> Mapping[str, Insight]:
        """Returns the insights into the leads of some candidates, with what tells whether their rules hold."""
        if not possible:
            return {}
        return await self.insights.of({each.change.lead_id for each in possible}, _to_judge(possible))

    def needs(self, possible: Sequence[Candidate], judged: Mapping[str, Insight]) -> dict[str, Need]:
        """Returns what must still be known of leads for which some rule holds, by lead.

        `judged` are the insights of `judge`. Leads of which enough is known are left out; of the others all that any of
        their rules needs is named, so that what their rules see is of one time.
        """
        known = _to_judge(possible)
        needs = dict.fromkeys((each.change.lead_id for each in possible if holds(each, judged)), NO_MORE)
        for each in possible:
            lead_id, draft = each.change.lead_id, each.rule.draft
            if lead_id in needs:
                to_tell = need.of_actions(draft.actions, self.templates.attributes)
                needs[lead_id] |= need.of_conditions(draft.conditions) | to_tell
        return {lead_id: needed for lead_id, needed in needs.items() if needed | known != known}

    async def tell(self, needs: Mapping[str, Need]) -> dict[str, Insight]:
        """Returns the insights into leads with what is needed of each; those that have no score are left out."""
        lead_ids: dict[Need, set[str]] = defaultdict(set)
        for lead_id, needed in needs.items():
            lead_ids[needed].add(lead_id)
        told: dict[str, Insight] = {}
        for needed, some in lead_ids.items():
            told |= await self.insights.of(some, needed)
        return told


def holds(candidate: Candidate, insights: Mapping[str, Insight]) -> bool:
    """Tells whether the conditions of a candidate's rule hold, as far as insights tell."""
    insight = insights.get(candidate.change.lead_id)
    return insight is not None and candidate.rule.draft.conditions.hold(facts_of(candidate.change, insight))


def _to_judge(possible: Collection[Candidate]) -> Need:
    needed = NO_MORE
    for each in possible:
        needed |= need.of_conditions(each.rule.draft.conditions)
    return needed
