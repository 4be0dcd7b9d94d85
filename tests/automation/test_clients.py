"""What the services that are asked answer, in the words of the ports."""

from automation_service.clients import MOST_LEADS, IntelligenceInsights, ScoringStages
from automation_service.domain.execution import Insight
from automation_service.domain.rule import Risk
from automation_service.servicer import ERRORS
from shared.pb.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from shared.pb.scoring.v1 import scoring_pb2_grpc
from shared.server import Context
from tests.intelligence.fakes import FakeScores
from tests.intelligence.servicer import FakeScoring
from tests.serving import served


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
                    lead_id=lead_id, velocity=6, risk=intelligence_pb2.RISK_HIGH, next_action="re_engage"
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
        insights = await IntelligenceInsights(channel).of([*leads, "nobody"])
    assert insights == dict.fromkeys(leads, Insight(6, Risk.HIGH, "re_engage"))
    assert intelligence.asked == [MOST_LEADS, 1]


async def test_the_stages_are_those_of_the_model_in_force() -> None:
    scoring = FakeScoring(FakeScores())  # type: ignore[abstract]
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server)
    ) as channel:
        assert await ScoringStages(channel).names() == ["cold", "warm", "hot", "qualified"]
