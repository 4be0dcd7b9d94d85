"""The scoring and the intelligence service behind our ports."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

import grpc

from automation_service.domain.execution import Insight
from automation_service.domain.rule import Risk
from shared.pb.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from shared.pb.scoring.v1 import scoring_pb2, scoring_pb2_grpc

MOST_LEADS = 500
"""Leads that the intelligence service answers for in one call."""

_RISKS = {intelligence_pb2.RISK_LOW: Risk.LOW, intelligence_pb2.RISK_HIGH: Risk.HIGH}


class ScoringStages:
    """`Stages` by the scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)

    async def names(self) -> Sequence[str]:
        """Returns the names of the stages of the model in force, in ascending order."""
        response = await self._scoring.GetScoringModel(scoring_pb2.GetScoringModelRequest())
        return [each.stage for each in response.scoring_model.stages]


class IntelligenceInsights:
    """`Insights` by the intelligence service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._intelligence = intelligence_pb2_grpc.IntelligenceServiceStub(channel)

    async def of(self, lead_ids: Collection[str]) -> Mapping[str, Insight]:
        """Returns the insights into leads as of now; see `Insights`."""
        insights: dict[str, Insight] = {}
        left = iter(lead_ids)
        while some := list(islice(left, MOST_LEADS)):
            request = intelligence_pb2.BatchGetLeadIntelligenceRequest(lead_ids=some)
            response = await self._intelligence.BatchGetLeadIntelligence(request)
            insights |= {each.lead_id: _insight(each) for each in response.lead_intelligence}
        return insights


def _insight(intelligence: intelligence_pb2.LeadIntelligence) -> Insight:
    return Insight(intelligence.velocity, _RISKS[intelligence.risk], intelligence.next_action)
