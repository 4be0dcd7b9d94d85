"""The service over gRPC, with a fake scoring service behind it that follows the proto."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2 as pb
from leadscore.intelligence.v1 import intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2_grpc

from intelligence_service.clients import MAX_EVENTS_TOGETHER, ScoringModels, ScoringServiceReader, is_serving
from intelligence_service.domain.insight import ConversionProbability, LeadFacts, LeadNotFound
from intelligence_service.ports import Wanted
from intelligence_service.servicer import ERRORS, IntelligenceServicer
from intelligence_service.usecases import Intelligence
from intelligence_service.watchers import Watchers
from shared import wire
from testkit.serving import refusal, served
from testkit.waiting import eventually
from tests.intelligence.fakes import NOW, FakeLeadChanges, FakeScores, facts
from tests.intelligence.servicer import FakeHealth, FakeScoring

ELSEWHERE = "score/hot:2"
BAD_MASK = pb.BatchGetLeadIntelligenceRequest(lead_ids=["a"], read_mask=FieldMask(paths=["attributes.a"]))
BAD_NAME = pb.BatchGetLeadIntelligenceRequest(lead_ids=["a"], attribute_names=[""])
LEADS = (
    facts("ada", score=70, recent=2, points={"demo_request": 50, "signup": 20}),
    facts("bob", score=35, inactivity=timedelta(days=9)),
    facts("cyd", score=5),
)


class System:
    """An intelligence service and the scoring service that it calls."""

    def __init__(self, scores: FakeScores, scoring: FakeScoring, health: FakeHealth, channel: grpc.aio.Channel) -> None:
        self.scores, self.scoring, self.health, self.scoring_channel = scores, scoring, health, channel
        self.stub: intelligence_pb2_grpc.IntelligenceServiceAsyncStub


@pytest.fixture
async def system() -> AsyncIterator[System]:
    scores, health = FakeScores(*LEADS), FakeHealth()
    scoring = FakeScoring(scores)  # type: ignore[abstract]
    async with served(
        ERRORS,
        lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server),
        lambda server: health_pb2_grpc.add_HealthServicer_to_server(health, server),
    ) as scoring_channel:
        system = System(scores, scoring, health, scoring_channel)
        intelligence = Intelligence(ScoringServiceReader(scoring_channel), ScoringModels(scoring_channel))
        servicer = IntelligenceServicer(intelligence, Watchers(FakeLeadChanges(), intelligence))
        async with served(
            ERRORS, lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(servicer, server)
        ) as channel:
            system.stub = intelligence_pb2_grpc.IntelligenceServiceStub(channel)
            yield system


async def test_get_returns_everything_known_about_a_lead(system: System) -> None:
    response = await system.stub.GetLeadIntelligence(pb.GetLeadIntelligenceRequest(lead_id="ada"))
    ada = response.lead_intelligence
    assert (ada.lead_id, ada.score, ada.stage, ada.velocity, ada.risk) == ("ada", 70, "qualified", 6, pb.RISK_LOW)
    assert (ada.next_action, ada.churned, ada.event_count, ada.model_version) == ("immediate_outreach", False, 7, 1)
    assert [each.decided for each in ada.thresholds] == ["stage", "velocity", "risk", "next_action"]
    assert [(each.rule_id, each.points) for each in ada.top_rules] == [("demo_request", 50), ("signup", 20)]
    assert wire.to_dict(ada.attributes) == LEADS[0].attributes
    assert wire.to_time(ada.as_of_time) == NOW
    assert wire.to_time(ada.last_event_time) == LEADS[0].last_event_time


@pytest.mark.parametrize("horizon", [timedelta(days=30), None])
async def test_a_lead_has_the_conversion_probability_of_its_score(system: System, horizon: timedelta | None) -> None:
    probability = ConversionProbability(0.12, 0.09, 0.16, 812, timedelta(days=7), horizon)
    system.scores.leads["ada"] = LEADS[0]._replace(conversion_probability=probability)
    asked = pb.BatchGetLeadIntelligenceRequest(lead_ids=["ada", "bob"])
    asked.read_mask.paths.append("conversion_probability")
    ada, bob = (await system.stub.BatchGetLeadIntelligence(asked)).lead_intelligence
    assert ada == pb.LeadIntelligence(
        lead_id="ada", conversion_probability=pb.ConversionProbability(**probability._asdict())
    )
    assert bob == pb.LeadIntelligence(lead_id="bob"), "expected no probability without a calibration"
    whole = await system.stub.GetLeadIntelligence(pb.GetLeadIntelligenceRequest(lead_id="ada"))
    assert whole.lead_intelligence.conversion_probability == ada.conversion_probability


async def test_a_preview_says_what_events_would_lead_to(system: System) -> None:
    events = [pb.HypotheticalEvent(event_type=each) for each in ("demo_request", "fax")]
    found = await system.stub.PreviewLeadIntelligence(pb.PreviewLeadIntelligenceRequest(lead_id="bob", events=events))
    assert (found.lead_intelligence.score, found.lead_intelligence.next_action) == (35, "re_engage")
    demo, fax = found.event_effects
    assert (demo.rule_id, list(demo.event_types), demo.delta, demo.score) == ("demo_request", ["demo_request"], 50, 85)
    assert (demo.stage, demo.velocity, demo.next_action) == ("qualified", 3, "immediate_outreach")
    assert (fax.rule_id, fax.delta, fax.score, fax.velocity) == ("", 0, 85, 6)
    best = found.rule_effects[0]
    assert (best.rule_id, best.delta, best.velocity) == ("contract_signed", 100, 3)


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (pb.PreviewLeadIntelligenceRequest(lead_id="nobody"), grpc.StatusCode.NOT_FOUND, []),
        (pb.PreviewLeadIntelligenceRequest(), grpc.StatusCode.INVALID_ARGUMENT, ["lead_id"]),
    ],
)
async def test_a_preview_that_is_not_possible_is_refused(
    system: System, request_: pb.PreviewLeadIntelligenceRequest, code: grpc.StatusCode, field: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await system.stub.PreviewLeadIntelligence(request_)
    assert (refusal(caught.value)[0], refusal(caught.value)[2]) == (code, field)


async def test_the_requested_time_is_passed_to_the_scoring_service(system: System) -> None:
    request = pb.GetLeadIntelligenceRequest(lead_id="ada", as_of_time=wire.to_timestamp(NOW))
    await system.stub.GetLeadIntelligence(request)
    await system.stub.GetLeadIntelligence(pb.GetLeadIntelligenceRequest(lead_id="ada"))
    assert system.scores.as_of_times == [NOW, None]


async def test_leads_that_are_asked_for_one_by_one_are_read_together(system: System) -> None:
    reader = ScoringServiceReader(system.scoring_channel)

    async def is_first_read_under_way() -> bool:
        return system.scoring.asked == [["ada"]]

    system.scoring.hold = asyncio.Event()
    first = asyncio.create_task(reader.one("ada", None))
    await eventually(is_first_read_under_way, what="a lead is read at once when nothing else is read")
    others = [asyncio.create_task(reader.one(each, None)) for each in ("bob", "eve", "cyd", "bob")]
    system.scoring.hold.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    told = [each.lead_id if isinstance(each, LeadFacts) else type(each) for each in results]
    assert told == ["ada", "bob", LeadNotFound, "cyd", "bob"], "an unknown lead must fail only its own caller"
    assert system.scoring.asked == [["ada"], ["bob", "eve", "cyd"]]


async def test_a_lead_with_very_many_recent_events_is_read_alone(system: System) -> None:
    reader = ScoringServiceReader(system.scoring_channel)

    async def is_under_way() -> bool:
        return sorted(system.scoring.asked) == [["ada"], ["bot"], ["bot"]]

    system.scores.leads["bot"] = facts("bot", recent=MAX_EVENTS_TOGETHER + 1)
    await reader.one("bot", None)
    system.scoring.hold = asyncio.Event()
    calls = [asyncio.create_task(reader.one(each, None)) for each in ("ada", "bot")]
    await eventually(is_under_way, what="neither waits for the other")
    system.scores.leads["bot"] = facts("bot", recent=1)
    system.scoring.hold.set()
    await asyncio.gather(*calls)
    system.scoring.asked.clear()
    await asyncio.gather(reader.one("bot", None), reader.one("ada", None))
    assert system.scoring.asked == [["bot", "ada"]], "expected a lead that is quiet again to be read with others"


async def test_a_batch_keeps_the_requested_order_and_lists_missing_leads(system: System) -> None:
    request = pb.BatchGetLeadIntelligenceRequest(lead_ids=["cyd", "eve", "bob", "cyd", "dan"])
    response = await system.stub.BatchGetLeadIntelligence(request)
    assert [each.lead_id for each in response.lead_intelligence] == ["cyd", "bob"]
    assert list(response.missing_lead_ids) == ["eve", "dan"]
    assert response.lead_intelligence[1].churned


async def test_a_batch_reads_and_returns_only_the_fields_of_its_mask(system: System) -> None:
    def asking(*paths: str, names: tuple[str, ...] = ()) -> pb.BatchGetLeadIntelligenceRequest:
        mask = FieldMask(paths=paths)
        return pb.BatchGetLeadIntelligenceRequest(lead_ids=["ada"], read_mask=mask, attribute_names=names)

    async def answered(request: pb.BatchGetLeadIntelligenceRequest) -> pb.LeadIntelligence:
        [insight] = (await system.stub.BatchGetLeadIntelligence(request)).lead_intelligence
        return insight

    assert await answered(asking("score", "risk")) == pb.LeadIntelligence(lead_id="ada", score=70, risk=pb.RISK_LOW)
    velocity = await answered(asking("velocity", "next_action"))
    assert velocity == pb.LeadIntelligence(lead_id="ada", velocity=6, next_action="immediate_outreach")
    named = await answered(asking("attributes", names=("seats",)))
    assert wire.to_dict(named.attributes) == {"seats": 3.0}
    everything = await answered(asking())
    assert (len(everything.attributes.fields), len(everything.top_rules), everything.velocity) == (2, 2, 6)
    nothing, none = Wanted(False, False, False, frozenset()), frozenset[str]()
    assert system.scores.wanted == [
        nothing,
        Wanted(True, False, False, none),
        Wanted(False, False, False, frozenset({"seats"})),
        Wanted(),
    ]


@pytest.mark.parametrize(
    ("order", "lead_ids"),
    [
        (pb.TOP_ORDER_UNSPECIFIED, ["ada", "bob", "cyd"]),
        (pb.TOP_ORDER_SCORE, ["ada", "bob", "cyd"]),
        (pb.TOP_ORDER_LAST_EVENT_TIME, ["ada", "cyd", "bob"]),
    ],
)
async def test_the_top_leads_come_page_by_page(system: System, order: pb.TopOrder, lead_ids: list[str]) -> None:
    listed: list[str] = []
    token = ""
    while not listed or token:
        request = pb.ListTopLeadsRequest(page_size=2, page_token=token, order=order)
        response = await system.stub.ListTopLeads(request)
        listed += [each.lead_id for each in response.lead_intelligence]
        token = response.next_page_token
    assert listed == lead_ids


async def test_the_top_leads_of_a_stage(system: System) -> None:
    response = await system.stub.ListTopLeads(pb.ListTopLeadsRequest(stage="hot"))
    assert [each.lead_id for each in response.lead_intelligence] == ["bob"]


async def test_the_pipeline_is_counted(system: System) -> None:
    summary = await system.stub.GetPipelineSummary(pb.GetPipelineSummaryRequest())
    assert (summary.lead_count, summary.churned_count, summary.model_version) == (3, 1, 1)
    assert {each.name: each.lead_count for each in summary.stages} == {"cold": 1, "warm": 0, "hot": 1, "qualified": 1}
    assert [(each.minimum_score, each.maximum_score) for each in summary.scores[:3]] == [(0, 10), (11, 30), (31, 59)]


async def test_a_model_is_fetched_once(system: System) -> None:
    for _ in range(3):
        await system.stub.GetLeadIntelligence(pb.GetLeadIntelligenceRequest(lead_id="ada"))
    assert system.scoring.models_fetched == 1


async def test_the_model_cache_is_bounded(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intelligence_service.clients.MAX_MODELS", 2)
    models = ScoringModels(system.scoring_channel)
    versions = [(await models.version(version)).version for version in (1, 2, 3, 3, 2, 1)]
    assert versions == [1, 2, 3, 3, 2, 1]
    assert system.scoring.models_fetched == 4


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason", "fields"),
    [
        ("GetLeadIntelligence", pb.GetLeadIntelligenceRequest(lead_id="eve"), "NOT_FOUND", "LEAD_NOT_FOUND", []),
        ("GetLeadIntelligence", pb.GetLeadIntelligenceRequest(), "", "", ["lead_id"]),
        ("GetLeadIntelligence", pb.GetLeadIntelligenceRequest(lead_id="a\0"), "", "", ["lead_id"]),
        ("GetLeadIntelligence", pb.GetLeadIntelligenceRequest(lead_id="a" * 257), "", "", ["lead_id"]),
        (
            "GetLeadIntelligence",
            pb.GetLeadIntelligenceRequest(lead_id="ada", as_of_time=Timestamp(seconds=2**62)),
            "",
            "",
            ["as_of_time"],
        ),
        ("BatchGetLeadIntelligence", pb.BatchGetLeadIntelligenceRequest(), "", "", ["lead_ids"]),
        ("BatchGetLeadIntelligence", pb.BatchGetLeadIntelligenceRequest(lead_ids=["a"] * 501), "", "", ["lead_ids"]),
        ("BatchGetLeadIntelligence", pb.BatchGetLeadIntelligenceRequest(lead_ids=["a", ""]), "", "", ["lead_ids[1]"]),
        ("BatchGetLeadIntelligence", BAD_MASK, "", "", ["read_mask"]),
        ("BatchGetLeadIntelligence", BAD_NAME, "", "", ["attribute_names[0]"]),
        ("ListTopLeads", pb.ListTopLeadsRequest(page_size=-1), "", "", ["page_size"]),
        ("ListTopLeads", pb.ListTopLeadsRequest(stage="tepid"), "", "", ["stage"]),
        ("ListTopLeads", pb.ListTopLeadsRequest(order=9), "", "", ["order"]),  # type: ignore[arg-type]
        ("ListTopLeads", pb.ListTopLeadsRequest(page_token=ELSEWHERE), "", "PAGE_TOKEN_INVALID", ["page_token"]),
    ],
)
async def test_a_bad_argument_is_named(
    system: System, method: str, request_: Message, code: str, reason: str, fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(system.stub, method)(request_)
    expected = grpc.StatusCode[code or "INVALID_ARGUMENT"], reason or "ARGUMENT_INVALID", fields
    assert refusal(caught.value) == expected


async def test_health_follows_the_scoring_service(system: System) -> None:
    assert await is_serving(system.scoring_channel)
    system.health.serving = False
    assert not await is_serving(system.scoring_channel)


async def test_calls_are_unavailable_while_the_scoring_service_is_down(system: System) -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:
        intelligence = Intelligence(ScoringServiceReader(nobody), ScoringModels(nobody))
        servicer = IntelligenceServicer(intelligence, Watchers(FakeLeadChanges(), intelligence))
        async with served(
            ERRORS, lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(servicer, server)
        ) as channel:
            stub = intelligence_pb2_grpc.IntelligenceServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetLeadIntelligence(pb.GetLeadIntelligenceRequest(lead_id="ada"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
