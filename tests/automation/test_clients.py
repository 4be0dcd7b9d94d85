"""The clients translate the responses of other services to the types of the ports."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from google.rpc import code_pb2
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2_grpc

from automation_service import clients
from automation_service.clients import MAX_LEADS, IntelligenceInsights, ScoringModels
from automation_service.domain.feasibility import NextAction
from automation_service.domain.lead import ConversionProbability, Insight, Risk, Threshold
from automation_service.domain.need import BASICS, EVERYTHING, Need
from automation_service.servicer import ERRORS
from shared import wire
from shared.rpc.errors import WorkTooLarge, is_transient, status_of
from shared.rpc.handlers import Context
from testkit.serving import served
from tests.intelligence.fakes import FakeScores
from tests.intelligence.servicer import FakeScoring

WEEK = timedelta(days=7)
PROBABILITY = ConversionProbability(0.12, 0.09, 0.16, 812, WEEK, timedelta(days=30))
INSIGHT = Insight(
    6,
    Risk.HIGH,
    "re_engage",
    40,
    "hot",
    {"seats": 3.0},
    (Threshold("risk", "high", "old"),),
    conversion_probability=PROBABILITY,
)


class FakeIntelligence(intelligence_pb2_grpc.IntelligenceServiceServicer):
    """Knows every lead except `nobody`; `asked` lists the requests.

    It never responds to requests for attributes if `silent_about` is `attributes`, and to none if it is `everything`.
    """

    def __init__(self, silent_about: str = "") -> None:
        self.asked: list[intelligence_pb2.BatchGetLeadIntelligenceRequest] = []
        self._silent_about = silent_about

    async def BatchGetLeadIntelligence(  # noqa: N802 (named as the RPC is)
        self, request: intelligence_pb2.BatchGetLeadIntelligenceRequest, context: Context
    ) -> intelligence_pb2.BatchGetLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        assert not request.HasField("as_of_time")
        self.asked.append(request)
        if self._silent_about == "everything" or self._silent_about in request.read_mask.paths:
            await asyncio.Event().wait()
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
                    conversion_probability=intelligence_pb2.ConversionProbability(**PROBABILITY._asdict()),
                )
                for lead_id in known
            ]
        )


@contextlib.asynccontextmanager
async def asking(intelligence: FakeIntelligence) -> AsyncIterator[IntelligenceInsights]:
    async with served(
        ERRORS, lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(intelligence, server)
    ) as channel:
        yield IntelligenceInsights(channel)


@pytest.mark.parametrize(
    ("need", "largest", "paths", "names"),
    [
        (BASICS, MAX_LEADS, set(), []),
        (Need(fit=True), MAX_LEADS, {"fit"}, []),
        (Need(attributes=frozenset({"b", "a"})), 53, {"attributes"}, ["a", "b"]),
        (EVERYTHING, 15, {"fit", "attributes"}, []),
    ],
)
async def test_requests_for_insights_have_bounded_size(
    need: Need, largest: int, paths: set[str], names: list[str]
) -> None:
    intelligence = FakeIntelligence()  # type: ignore[abstract]
    async with asking(intelligence) as insights:
        leads = [f"lead-{number}" for number in range(MAX_LEADS)]
        found = await insights.of([*leads, "nobody"], need)
    assert found == dict.fromkeys(leads, INSIGHT)
    sizes = [len(each.lead_ids) for each in intelligence.asked]
    assert (sum(sizes), max(sizes), len(sizes)) == (501, largest, math.ceil(501 / largest))
    for each in intelligence.asked:
        assert paths <= set(each.read_mask.paths)
        assert ("attributes" in each.read_mask.paths) == ("attributes" in paths)
        assert list(each.attribute_names) == names


async def test_requests_grow_while_leads_are_small() -> None:
    intelligence = FakeIntelligence()  # type: ignore[abstract]
    async with asking(intelligence) as insights:
        leads = [f"lead-{number}" for number in range(MAX_LEADS)]
        for _ in range(2):
            await insights.of(leads, EVERYTHING)
    sizes = [len(each.lead_ids) for each in intelligence.asked]
    assert (sizes[0], max(sizes), sum(sizes)) == (15, 8 * 15 + 6, 2 * MAX_LEADS), "never more than eight times as many"


async def test_a_request_that_is_too_large_differs_from_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(clients, "PROBE_SECONDS", 60.0)
    intelligence = FakeIntelligence("attributes")  # type: ignore[abstract]
    async with asking(intelligence) as insights:
        with pytest.raises(WorkTooLarge, match=r"about 2 leads within 0\.3 s, although it answers smaller requests"):
            await insights.of(["ada", "bob"], EVERYTHING)
        with pytest.raises(WorkTooLarge, match="lead 'ada'") as caught:
            await insights.of(["ada"], EVERYTHING)
    assert not is_transient(caught.value), "it is cut, and counts for a change alone"
    assert status_of(caught.value, ERRORS).code == code_pb2.DEADLINE_EXCEEDED, "whoever tests a rule may call again"


async def test_an_outage_is_a_transient_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(clients, "PROBE_SECONDS", 0.3)
    intelligence = FakeIntelligence("everything")  # type: ignore[abstract]
    async with asking(intelligence) as insights:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await insights.of(["ada"], EVERYTHING)
    assert is_transient(caught.value)


async def test_the_model_is_the_one_in_force() -> None:
    scoring = FakeScoring(FakeScores())  # type: ignore[abstract]
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server)
    ) as channel:
        model = await ScoringModels(channel).in_force()
    assert model.stage_names == ("cold", "warm", "hot", "qualified")
    assert (model.score_floor, model.score_ceiling, model.idle) == (0, 10_000, WEEK)
    assert model.next_actions[0] == NextAction("immediate_outreach", ("qualified",), 1, None)
