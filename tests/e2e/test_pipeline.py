"""An event that is sent over gRPC results in a score, a stage, an insight and an execution."""

import random
from typing import Any

from google.protobuf.struct_pb2 import Struct
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from shared import wire
from testkit.system import SERVERS, System
from testkit.traffic import all_scored, make_events, scores, send, violations
from testkit.waiting import eventually


async def test_one_event_passes_through_all_services(system: System) -> None:
    conditions = automation_pb2.Conditions(stages=["hot"], minimum_velocity=3, risk=automation_pb2.RISK_LOW)
    rule = automation_pb2.AutomationRule(rule_id="call-hot", enabled=True, conditions=conditions)
    await system.automation().CreateAutomationRule(automation_pb2.CreateAutomationRuleRequest(rule=rule))
    identify = ingest_pb2.Event(
        event_id="ada-1", lead_id="ada", event_type="identify", event_time=wire.to_timestamp(wire.now())
    )
    identify.properties.CopyFrom(Struct())
    identify.properties.update({"company": "Analytical Engines"})
    demo = ingest_pb2.Event(
        event_id="ada-2", lead_id="ada", event_type="demo_request", event_time=wire.to_timestamp(wire.now())
    )
    for event in (identify, demo):
        answer = await system.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=event), timeout=30)
        assert answer.outcome == ingest_pb2.OUTCOME_ACCEPTED
    again = await system.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=demo), timeout=30)
    assert again.outcome == ingest_pb2.OUTCOME_DUPLICATE
    await all_scored(system)
    insight = (
        await system.intelligence().GetLeadIntelligence(
            intelligence_pb2.GetLeadIntelligenceRequest(lead_id="ada"), timeout=30
        )
    ).lead_intelligence
    assert (insight.score, insight.stage, insight.velocity, insight.next_action) == (50, "hot", 6, "schedule_demo")
    assert insight.risk == intelligence_pb2.RISK_LOW
    assert insight.attributes["company"] == "Analytical Engines"
    assert [each.rule_id for each in insight.top_rules] == ["demo_request"]
    signup = [intelligence_pb2.HypotheticalEvent(event_type="signup")]
    request = intelligence_pb2.PreviewLeadIntelligenceRequest(lead_id="ada", events=signup)
    [effect] = (await system.intelligence().PreviewLeadIntelligence(request, timeout=30)).event_effects
    assert (effect.delta, effect.score, effect.stage, effect.velocity) == (20, 70, "qualified", 9)

    async def executed() -> bool:
        request = automation_pb2.ListAutomationExecutionsRequest(lead_id="ada")
        found = await system.automation().ListAutomationExecutions(request, timeout=30)
        return [each.rule_id for each in found.executions] == ["call-hot"]

    await eventually(executed, what="the rule is executed for the lead, once")


async def test_the_same_events_in_another_order_give_the_same_scores(system: System) -> None:
    events = make_events(2000, leads=40, seed=1, prefix="a-")
    shuffled = make_events(2000, leads=40, seed=1, prefix="b-")
    random.Random(3).shuffle(shuffled)
    assert await send(system, events, batch=500) == {ingest_pb2.OUTCOME_ACCEPTED: 2000}
    assert await send(system, shuffled, batch=37, clients=4) == {ingest_pb2.OUTCOME_ACCEPTED: 2000}
    await all_scored(system)
    await _decay(system)
    found = await scores(system)
    one = {lead[2:]: score for lead, score in found.items() if lead.startswith("a-")}
    other = {lead[2:]: score for lead, score in found.items() if lead.startswith("b-")}
    assert len(one) == 40
    assert one == other
    assert await send(system, shuffled, batch=500) == {ingest_pb2.OUTCOME_DUPLICATE: 2000}
    assert await violations(system) == []
    await _decay(system)
    assert await scores(system) == found


async def test_health_answers_for_every_service_and_overall(system: System) -> None:
    for server in SERVERS:
        stub = health_pb2_grpc.HealthStub(system.channel(server))
        for name in ("", f"leadscore.{server}.v1.{server.capitalize()}Service"):
            request = health_pb2.HealthCheckRequest(service=name)
            answer = await stub.Check(request, timeout=30)  # type: ignore[attr-defined]  # the stubs lack it
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, (server, name)


async def test_reflection_lists_the_service(system: System) -> None:
    for server in SERVERS:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(system.channel(server))  # type: ignore[arg-type]
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            names = [service.name for service in answer.list_services_response.service]
            assert f"leadscore.{server}.v1.{server.capitalize()}Service" in names


async def test_every_drain_logs_a_line_and_answered_calls_share_one(system: System) -> None:
    await send(system, make_events(10, leads=2, seed=9, prefix="log-"))
    line = '"method": "/leadscore.ingest.v1.IngestService/BatchIngestEvents", "count": '

    async def is_drain_logged() -> bool:
        return '"event": "drain"' in system.log("scoring-worker")

    async def are_calls_logged() -> bool:
        return any("calls answered" in each for each in system.log("ingest").splitlines() if line in each)

    await eventually(is_drain_logged, what="a line about a drain")
    await eventually(are_calls_logged, what="a line about the calls")


async def _decay(system: System) -> None:
    async for progress in system.scoring().DecayScores(scoring_pb2.DecayScoresRequest(), timeout=60):
        last = progress
    assert last.done
