"""What the services that are asked answer, in the words of the ports."""

from datetime import timedelta

from automation_service.clients import MOST_LEADS, IntelligenceInsights, ScoringModels
from automation_service.domain.feasibility import NextAction
from automation_service.domain.lead import Insight, Risk, Threshold
from automation_service.domain.need import NO_MORE
from automation_service.servicer import ERRORS
from shared import wire
from shared.pb.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from shared.pb.scoring.v1 import scoring_pb2_grpc
from shared.server import Context
from tests.intelligence.fakes import FakeScores
from tests.intelligence.servicer import FakeScoring
from tests.serving import served

WEEK = timedelta(days=7)
INSIGHT = Insight(6, Risk.HIGH, "re_engage", 40, "hot", {"seats": 3.0}, (Threshold("risk", "high", "old"),))


class FakeIntelligence(intelligence_pb2_grpc.IntelligenceServiceServicer):
    """Knows every lead but `nobody`, and takes at most 500 at a time; `asked` are the sizes of the batches."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def BatchGetLeadIntelligence(  # noqa: N802 (named as the RPC is)
        self, request: intelligence_pb2.BatchGetLeadIntelligenceRequest, context: Context
    ) -> intelligence_pb2.BatchGetLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        assert not request.HasField("as_of_time")
        self.asked.append(len(request.lead_ids))
        known = [lead_id for lead_id in request.lead_ids if lead_id != "nobody"]
        return intelligence_pb2.BatchGetLeadIntelligenceResponse(
            lead_intelligence=[
                intelligence_pb2.LeadIntelligence(
                    lead_id=lead_id,
                    velocity=6,
                    risk=intelligence_pb2.RISK_HIGH,
                    next_action="re_engage",
                    score=40,
                    stage="hot",
                    attributes=wire.to_struct({"seats": 3}),
                    thresholds=[intelligence_pb2.FiredThreshold(decided="risk", outcome="high", explanation="old")],
                )
                for lead_id in known
            ]
        )


async def test_insights_are_asked_for_in_batches() -> None:
    intelligence = FakeIntelligence()  # type: ignore[abstract]
    async with served(
        ERRORS, lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(intelligence, server)
    ) as channel:
        leads = [f"lead-{number}" for number in range(MOST_LEADS)]
        insights = await IntelligenceInsights(channel).of([*leads, "nobody"], NO_MORE)
    assert insights == dict.fromkeys(leads, INSIGHT)
    assert intelligence.asked == [MOST_LEADS, 1]


async def test_the_model_is_the_one_in_force() -> None:
    scoring = FakeScoring(FakeScores())  # type: ignore[abstract]
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server)
    ) as channel:
        model = await ScoringModels(channel).in_force()
    assert model.stage_names == ("cold", "warm", "hot", "qualified")
    assert (model.score_floor, model.score_ceiling, model.grace, model.idle) == (0, 10_000, WEEK, WEEK)
    assert model.next_actions[0] == NextAction("immediate_outreach", ("qualified",), 1, None)
