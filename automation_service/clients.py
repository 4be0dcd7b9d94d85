"""The scoring and the intelligence service behind our ports."""

from collections.abc import Collection, Mapping
from itertools import islice

import grpc

from automation_service.domain.feasibility import Model, NextAction, Stage
from automation_service.domain.lead import Insight, Risk, Threshold
from shared import wire
from shared.pb.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from shared.pb.scoring.v1 import scoring_pb2, scoring_pb2_grpc

MOST_LEADS = 500
"""Leads that the intelligence service answers for in one call."""

_RISKS = {intelligence_pb2.RISK_LOW: Risk.LOW, intelligence_pb2.RISK_HIGH: Risk.HIGH}
_MODEL_RISKS = {scoring_pb2.RISK_LOW: Risk.LOW, scoring_pb2.RISK_HIGH: Risk.HIGH}


class ScoringModels:
    """`Models` by the scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)

    async def in_force(self) -> Model:
        """Returns the model that judges now; see `Models`."""
        return _model((await self._scoring.GetScoringModel(scoring_pb2.GetScoringModelRequest())).scoring_model)


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
    return Insight(
        velocity=intelligence.velocity,
        risk=_RISKS[intelligence.risk],
        next_action=intelligence.next_action,
        score=intelligence.score,
        stage=intelligence.stage,
        attributes=wire.to_dict(intelligence.attributes),
        fit_grade=intelligence.fit.grade,
        why=tuple(Threshold(each.decided, each.outcome, each.explanation) for each in intelligence.thresholds),
    )


def _model(model: scoring_pb2.ScoringModel) -> Model:
    return Model(
        stages=tuple(Stage(each.stage, each.minimum_score) for each in model.stages),
        score_floor=model.score_floor,
        score_ceiling=model.score_ceiling,
        next_actions=tuple(
            NextAction(row.next_action, tuple(row.stages), row.minimum_velocity, _MODEL_RISKS.get(row.risk))
            for row in model.next_actions
        ),
        grace=model.decay.grace.ToTimedelta(),
        idle=model.risk.idle.ToTimedelta(),
    )
