"""Every kind of work is possible with the rights that each service has in MongoDB; see `shared.database_rights`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from leadscore.automation.v1 import automation_pb2 as automation
from leadscore.ingest.v1 import ingest_pb2 as ingest
from leadscore.intelligence.v1 import intelligence_pb2 as intelligence
from leadscore.scoring.v1 import scoring_pb2 as scoring

from shared import wire
from testkit.system import System
from testkit.traffic import all_scored
from testkit.waiting import eventually

CALL_SECONDS = 30
WATCH_SECONDS = 300
WHO: dict[str, Any] = {"reason": "test", "actor": "test"}


async def test_all_work_is_possible_with_the_rights_of_the_services(system: System) -> None:
    now = wire.now()
    rule = automation.AutomationRule(rule_id="seen", enabled=True)
    rule.trigger.event_received.event_type = "page_view"
    await system.automation().CreateAutomationRule(
        automation.CreateAutomationRuleRequest(rule=rule), timeout=CALL_SECONDS
    )
    watching: Any = system.intelligence().WatchLeads(intelligence.WatchLeadsRequest(), timeout=WATCH_SECONDS)
    assert not (await watching.read()).HasField("change"), "expected the first response to say that it has begun"
    # The second one comes late, so that a checkpoint is replaced; the last one begins nothing new.
    for number, (event_type, days) in enumerate((("signup", 1), ("page_view", 5), ("page_view", 0))):
        event = ingest.Event(event_id=f"ada-{number}", lead_id="ada", event_type=event_type)
        event.event_time.CopyFrom(wire.to_timestamp(now - timedelta(days=days)))
        await system.ingest().IngestEvent(ingest.IngestEventRequest(event=event), timeout=CALL_SECONDS)
        await all_scored(system)
    assert (await watching.read()).change.lead_id == "ada"
    watching.cancel()
    await work_on_scores(system, now)
    await work_on_automations(system)
    assert system.refused_rights() == []


async def work_on_scores(system: System, now: datetime) -> None:
    stub = system.scoring()
    await stub.AdjustLeadScore(scoring.AdjustLeadScoreRequest(lead_id="ada", delta=5, request_id="r", **WHO))
    await stub.RetractEvent(scoring.RetractEventRequest(event_id="ada-1", **WHO), timeout=CALL_SECONDS)
    midnight = datetime.combine(now.date(), datetime.min.time(), UTC)
    await drained(stub.DecayScores(scoring.DecayScoresRequest(as_of_time=wire.to_timestamp(midnight))))
    yesterday = (now - timedelta(days=1)).date().isoformat()
    await drained(stub.ResetDecay(scoring.ResetDecayRequest(to_date=yesterday, **WHO)))
    model = (await stub.GetScoringModel(scoring.GetScoringModelRequest())).scoring_model
    model.display_name = "another"
    created = await stub.CreateScoringModel(scoring.CreateScoringModelRequest(scoring_model=model))
    version = created.scoring_model.version
    simulated = scoring.SimulateScoringModelRequest(version=version, conversion_event_types=["signup"])
    await drained(stub.SimulateScoringModel(simulated))
    await stub.PublishScoringModel(
        scoring.PublishScoringModelRequest(
            version=version, base_version=1, mode=scoring.PUBLICATION_MODE_RESCORE, actor="test", note="test"
        )
    )

    async def rolled_out() -> bool:
        backlog = await stub.GetScoringBacklog(scoring.GetScoringBacklogRequest(), timeout=CALL_SECONDS)
        return not backlog.HasField("rollout")

    await eventually(rolled_out, what="the publication has reached every lead")
    await stub.RebuildLeadScore(scoring.RebuildLeadScoreRequest(lead_id="ada"), timeout=CALL_SECONDS)
    await drained(stub.RebuildLeadScores(scoring.RebuildLeadScoresRequest()))
    verified = await drained(stub.VerifyScores(scoring.VerifyScoresRequest()))
    assert verified[-1].violations_total == 0
    await stub.CountLeads(scoring.CountLeadsRequest(minimum_scores=[1]), timeout=CALL_SECONDS)
    for name in ("ListLeadScores", "ListScoreEntries", "ListEvents", "ListScoringModels"):
        await getattr(stub, name)(getattr(scoring, f"{name}Request")(), timeout=CALL_SECONDS)
    await stub.ListInactiveLeads(scoring.ListInactiveLeadsRequest(inactive_since=wire.to_timestamp(now)))
    await stub.RetryParkedEvents(scoring.RetryParkedEventsRequest(all=True), timeout=CALL_SECONDS)
    await stub.DiscardParkedEvents(scoring.DiscardParkedEventsRequest(all=True, **WHO), timeout=CALL_SECONDS)


async def work_on_automations(system: System) -> None:
    stub = system.automation()

    async def executed() -> bool:
        found = await stub.ListAutomationExecutions(automation.ListAutomationExecutionsRequest(rule_id="seen"))
        return len(found.executions) > 0

    await eventually(executed, what="the rule is executed")
    await stub.TestAutomationRule(automation.TestAutomationRuleRequest(rule_id="seen", lead_id="ada"))
    await stub.GetAutomationBacklog(automation.GetAutomationBacklogRequest(), timeout=CALL_SECONDS)
    await stub.RetryParkedChanges(automation.RetryParkedChangesRequest(all=True), timeout=CALL_SECONDS)
    await stub.DiscardParkedChanges(automation.DiscardParkedChangesRequest(all=True, **WHO), timeout=CALL_SECONDS)
    await stub.DeleteAutomationRule(automation.DeleteAutomationRuleRequest(rule_id="seen"), timeout=CALL_SECONDS)


async def drained(stream: Any) -> list[Any]:
    """Returns all messages of a stream."""
    return [message async for message in stream]
