"""Executions over gRPC: list, get, retry, test and preview."""

import json
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from leadscore.automation.v1 import automation_pb2 as pb

from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Fate, Schedule
from automation_service.domain.receiver import Email
from shared import wire
from testkit.receiver import SECRET
from testkit.serving import refusal
from tests.automation.fake_stores import FakeExecutions
from tests.automation.fakes import NOW, change, executed, rule, webhook
from tests.automation.servicer import CONDITIONS, EXECUTIONS, Stub, list_executions


async def test_a_preview_counts_the_rules_that_would_fire(stub: Stub, recorded: FakeExecutions) -> None:
    away = pb.AutomationRule(rule_id="away", enabled=True, conditions=pb.Conditions(stages=["cold"]))
    await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=away))
    before = len(recorded.executions)
    changes = [
        pb.SupposedChange(lead_id="ada", score_before=20, score_after=40, stage_before="warm", stage_after="hot"),
        pb.SupposedChange(lead_id="bob", score_before=20, score_after=40, stage_before="warm", stage_after="hot"),
        pb.SupposedChange(lead_id="eve", score_before=20, score_after=5, stage_before="warm", stage_after="cold"),
        pb.SupposedChange(lead_id="nobody", score_after=40, stage_before="cold", stage_after="hot"),
    ]
    answer = await stub.PreviewAutomationRules(pb.PreviewAutomationRulesRequest(changes=changes))
    assert {each.rule_id: each.lead_count for each in answer.rules} == {"away": 1, "old": 2}
    assert len(recorded.executions) == before, "nothing is recorded"


async def test_executions_are_listed_in_pages(stub: Stub) -> None:
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        request = pb.ListAutomationExecutionsRequest(page_size=2, page_token=token, lead_id="ada")
        response = await stub.ListAutomationExecutions(request)
        pages.append([each.date_bucket for each in response.executions])
        token = response.next_page_token
    assert pages == [["2026-03-03", "2026-03-02"], ["2026-03-01"]]


async def test_every_field_of_an_execution_is_returned(stub: Stub) -> None:
    request = pb.ListAutomationExecutionsRequest(date_bucket="2026-03-03")
    [execution] = (await stub.ListAutomationExecutions(request)).executions
    assert execution == pb.AutomationExecution(
        execution_id=EXECUTIONS[0].execution_id,
        rule_id="call",
        lead_id="ada",
        date_bucket="2026-03-03",
        state=pb.EXECUTION_STATE_RECORDED,
        change_sequence=1,
        score=40,
        stage_before="cold",
        stage_after="hot",
        velocity=9,
        risk=pb.RISK_LOW,
        next_action="prioritize_contact",
        record_time=wire.to_timestamp(NOW + timedelta(days=3)),
        why=["trigger: the conditions hold after a change"],
        event_id="ada-1",
        event_type="page_view",
    )


async def test_testing_a_rule_records_nothing(stub: Stub) -> None:
    rule_ = pb.AutomationRule(rule_id="new", conditions=pb.Conditions(stages=["hot"], minimum_velocity=10))
    rule_.actions.add(action_id="crm").webhook.MergeFrom(pb.Webhook(url="https://nowhere.example/", secrets=[SECRET]))
    tried = await stub.TestAutomationRule(pb.TestAutomationRuleRequest(rule=rule_, lead_id="ada"))
    found = {each.field: each.holds for each in tried.checks}
    assert found == {"trigger": True, "conditions.stages": True, "conditions.minimum_velocity": False}
    assert not tried.would_fire
    assert tried.checks[2].explanation == "velocity is 9, must be at least 10"
    assert list(tried.warnings) == ["actions[0].webhook.url: the host has no address at the moment"]
    assert json.loads(tried.deliveries[0].body)["data"]["lead"]["lead_id"] == "ada"
    stored = await stub.TestAutomationRule(pb.TestAutomationRuleRequest(rule_id="old", lead_id="ada"))
    assert stored.would_fire
    assert (stored.last_date_bucket, len((await stub.ListAutomationExecutions(list_executions())).executions)) == (
        "",
        3,
    )


async def test_testing_a_rule_returns_due_deliveries_and_rendering_errors(stub: Stub) -> None:
    asked = pb.AutomationRule(rule_id="new", conditions=CONDITIONS)
    asked.actions.add().webhook.MergeFrom(pb.Webhook(url="https://crm.example/", secrets=[SECRET]))
    asked.actions.add().email.MergeFrom(pb.Email(to_attribute="email"))
    tried = await stub.TestAutomationRule(pb.TestAutomationRuleRequest(rule=asked, lead_id="ada"))
    due, unwritten = tried.deliveries
    assert (due.state, wire.to_time(due.next_attempt_time), len(due.attempts)) == (pb.EXECUTION_STATE_PENDING, NOW, 0)
    assert (unwritten.state, unwritten.body) == (pb.EXECUTION_STATE_FAILED, b"")
    assert [each.error for each in unwritten.attempts] == ["the lead's attribute 'email' is not an e-mail address"]


async def test_a_failed_execution_is_returned_with_its_attempts_and_retried(
    stub: Stub, recorded: FakeExecutions
) -> None:
    old_rule = rule("old", None, webhook())
    failed = executed(change("eve"), old_rule)
    answer = Answer(Fate.FINAL, 404, "no such thing")
    settled = failed.deliveries[0].settled(answer, NOW, timedelta(milliseconds=7), Schedule(), 1)
    await recorded.record([replace(failed, deliveries=(settled,))])
    request = pb.GetAutomationExecutionRequest(execution_id=failed.execution_id)
    found = (await stub.GetAutomationExecution(request)).execution
    assert (found.state, found.deliveries[0].state) == (pb.EXECUTION_STATE_FAILED, pb.EXECUTION_STATE_FAILED)
    [attempt] = found.deliveries[0].attempts
    assert (attempt.status, attempt.answer, attempt.duration.ToMilliseconds()) == (404, "no such thing", 7)
    assert found.deliveries[0].body == failed.deliveries[0].body
    [listed] = (await stub.ListAutomationExecutions(list_executions(state=pb.EXECUTION_STATE_FAILED))).executions
    assert listed.deliveries[0].body == b""
    retry = pb.RetryAutomationExecutionRequest(execution_id=failed.execution_id)
    again = (await stub.RetryAutomationExecution(retry)).execution
    assert (again.state, wire.to_time(again.deliveries[0].next_attempt_time)) == (pb.EXECUTION_STATE_PENDING, NOW)
    assert len(again.deliveries[0].attempts) == 1


async def test_a_delivery_that_could_not_be_rendered_is_not_retried(stub: Stub, recorded: FakeExecutions) -> None:
    failed = executed(change("eve"), rule("old", None, Action("mail", Email(to_attribute="email"))))
    await recorded.record([failed])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RetryAutomationExecution(pb.RetryAutomationExecutionRequest(execution_id=failed.execution_id))
    assert refusal(caught.value)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_RETRY")


async def test_all_executions_of_a_rule_that_failed_are_retried_in_pages(stub: Stub, recorded: FakeExecutions) -> None:
    """Those of a rule that is gone, and those that could not be rendered, are skipped."""
    refused = Answer(Fate.FINAL, 404, "no such thing")
    mailing = Action("mail", Email(to_attribute="email"))
    for number, rule_ in enumerate([*[rule("old", None, webhook())] * 3, rule("gone", None, webhook())]):
        failed = executed(change(f"lead-{number}"), rule_)
        settled = failed.deliveries[0].settled(refused, NOW, timedelta(), Schedule(), 1)
        await recorded.record([replace(failed, deliveries=(settled,))])
    await recorded.record([executed(change("unrendered"), rule("old", None, mailing))])
    request = pb.RetryAutomationExecutionsRequest(state=pb.EXECUTION_STATE_FAILED, page_size=2)
    answers = [await stub.RetryAutomationExecutions(request)]
    while answers[-1].next_page_token:
        request.page_token = answers[-1].next_page_token
        answers.append(await stub.RetryAutomationExecutions(request))
    assert len(answers) > 1
    assert (sum(each.retried_count for each in answers), sum(each.skipped_count for each in answers)) == (3, 2)
    pending = list_executions(state=pb.EXECUTION_STATE_PENDING)
    assert len((await stub.ListAutomationExecutions(pending)).executions) == 3
