"""The scoring service as the intelligence service sees it over gRPC."""

import asyncio
from datetime import datetime

from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc

from intelligence_service.domain.insight import Hypothesis, LeadFacts, ScoreEffect
from intelligence_service.domain.summary import Grouping
from intelligence_service.ports import Order, Wanted
from scoring_service import model_codec
from shared import wire
from shared.rpc.handlers import Context
from shared.rpc.read_masks import read_mask
from tests.intelligence.fakes import FakeScores
from tests.scoring.models import BUILT_IN


class FakeScoring(scoring_pb2_grpc.ScoringServiceServicer):
    """The ScoringService over `FakeScores`, as the proto says; it counts the models that were fetched.

    `asked` has the lead ids of each batch. While `hold` is set to an event, batches wait for it.
    """

    def __init__(self, scores: FakeScores) -> None:
        self._scores = scores
        self.models_fetched = 0
        self.asked: list[list[str]] = []
        self.hold: asyncio.Event | None = None

    async def BatchGetLeadScores(
        self, request: pb.BatchGetLeadScoresRequest, context: Context
    ) -> pb.BatchGetLeadScoresResponse:
        """See `scoring.proto`."""
        self.asked.append(list(request.lead_ids))
        if self.hold:
            await self.hold.wait()
        mask = read_mask(request, pb.LeadScore)
        wanted = Wanted(
            recent_events="recent_event_count" in mask.fields,
            contributions="contributions" in mask.fields,
            fit="fit_grade" in mask.fields,
            attributes=mask.attributes,
        )
        leads = await self._scores.batch(request.lead_ids, _as_of_time(request), wanted)
        return pb.BatchGetLeadScoresResponse(lead_scores=[mask.apply(_lead_score(lead)) for lead in leads])

    async def PreviewLeadScore(
        self, request: pb.PreviewLeadScoreRequest, context: Context
    ) -> pb.PreviewLeadScoreResponse:
        """See `scoring.proto`."""
        events = [Hypothesis(each.event_type, each.properties) for each in request.events]
        found = await self._scores.preview(request.lead_id, events)
        return pb.PreviewLeadScoreResponse(
            lead_score=_lead_score(found.facts),
            event_effects=[_effect(each) for each in found.events],
            rule_effects=[_effect(each) for each in found.rules],
        )

    async def ListLeadScores(self, request: pb.ListLeadScoresRequest, context: Context) -> pb.ListLeadScoresResponse:
        """See `scoring.proto`."""
        order = Order[pb.LeadOrder.Name(request.order).removeprefix("LEAD_ORDER_")]
        page = await self._scores.page(order, request.stage, request.page_size, request.page_token)
        return pb.ListLeadScoresResponse(
            lead_scores=[_lead_score(lead) for lead in page.leads], next_page_token=page.next_page_token
        )

    async def CountLeads(self, request: pb.CountLeadsRequest, context: Context) -> pb.CountLeadsResponse:
        """See `scoring.proto`."""
        recent, idle = wire.to_span(request.recent), wire.to_span(request.idle)
        grouping = Grouping(request.minimum_scores, request.max_recent_event_counts, recent, idle)
        groups, as_of_time = await self._scores.groups(grouping)
        return pb.CountLeadsResponse(
            groups=[
                pb.LeadGroup(
                    minimum_score=each.minimum_score,
                    recent_event_count=each.recent_event_count,
                    idle=each.is_idle,
                    lead_count=each.lead_count,
                )
                for each in groups
            ],
            as_of_time=wire.to_timestamp(as_of_time),
        )

    async def GetScoringModel(self, request: pb.GetScoringModelRequest, context: Context) -> pb.GetScoringModelResponse:
        """See `scoring.proto`."""
        self.models_fetched += 1
        model = model_codec.write_model(BUILT_IN)
        model.version = request.version or model.version
        return pb.GetScoringModelResponse(scoring_model=model)


class FakeHealth(health_pb2_grpc.HealthServicer):
    """The health service of the scoring service; `serving` is its state."""

    def __init__(self) -> None:
        self.serving = True

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """Returns the status that `serving` stands for."""
        assert request.service == "leadscore.scoring.v1.ScoringService"
        status = health_pb2.HealthCheckResponse
        return status(status=status.SERVING if self.serving else status.NOT_SERVING)


def _as_of_time(request: pb.BatchGetLeadScoresRequest) -> datetime | None:
    return wire.to_time(request.as_of_time) if request.HasField("as_of_time") else None


def _effect(effect: ScoreEffect) -> pb.ScoreEffect:
    return pb.ScoreEffect(
        rule_id=effect.rule_id,
        event_types=effect.event_types,
        delta=effect.delta,
        score=effect.score,
        stage=effect.stage,
    )


def _lead_score(lead: LeadFacts) -> pb.LeadScore:
    return pb.LeadScore(
        lead_id=lead.lead_id,
        score=lead.score,
        stage=lead.stage,
        event_count=lead.event_count,
        last_event_time=wire.to_timestamp(lead.last_event_time) if lead.last_event_time else None,
        recent_event_count=lead.recent_event_count,
        contributions=[pb.RuleContribution(rule_id=each.rule_id, points=each.points) for each in lead.contributions],
        attributes=wire.to_struct(lead.attributes),
        model_version=lead.model_version,
        as_of_time=wire.to_timestamp(lead.as_of_time),
        conversion_probability=pb.ConversionProbability(**lead.conversion_probability._asdict())
        if lead.conversion_probability
        else None,
    )
