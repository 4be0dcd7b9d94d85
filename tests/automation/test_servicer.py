"""The service over gRPC."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1 import automation_pb2_grpc

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Fate
from automation_service.domain.receiver import Email
from automation_service.servicer import ERRORS, AutomationServicer
from automation_service.usecases.rules import RuleBook, RuleValidator
from automation_service.usecases.trials import RuleTester
from shared import wire
from shared.rpc.pagination import write_token
from testkit.receiver import SECRET
from testkit.serving import refusal, served
from tests.automation.fakes import (
    NOW,
    SENDER,
    FakeExecutions,
    FakeInsights,
    FakeModels,
    FakeReceivers,
    FakeRules,
    change,
    executed,
    rule,
    webhook,
)

Stub: TypeAlias = "automation_pb2_grpc.AutomationServiceAsyncStub"
CONDITIONS = pb.Conditions(stages=["hot"], minimum_score=0, minimum_velocity=9, risk=pb.RISK_LOW)
RULE = pb.AutomationRule(rule_id="call", display_name="Call", enabled=True, conditions=CONDITIONS)
NOTHING_PARKED: Any = None
"""What is parked has a test of its own, on a real database."""
NO_BACKLOG: Any = None
"""So has what waits."""
NOTHING_TO_DO = executed(change("bob"), rule("old"))
EXECUTIONS = [executed(change("ada", day=day), rule(), NOW + timedelta(days=day)) for day in (3, 2, 1)]


@pytest.fixture
def executions() -> FakeExecutions:
    return FakeExecutions(*EXECUTIONS)


@pytest.fixture
async def stub(executions: FakeExecutions) -> AsyncIterator[Stub]:
    validator = RuleValidator(FakeModels(), FakeReceivers(), SandboxedTemplates(), allow_http=False)
    rules, insights = FakeRules(rule("old"), executions=executions), FakeInsights(unknown=["nobody"])
    servicer = AutomationServicer(
        RuleBook(rules, validator, lambda: NOW),
        RuleTester(rules, executions, insights, validator, SENDER, lambda: NOW),
        NOTHING_PARKED,
        NO_BACKLOG,
    )
    async with served(
        ERRORS, lambda server: automation_pb2_grpc.add_AutomationServiceServicer_to_server(servicer, server)
    ) as channel:
        yield automation_pb2_grpc.AutomationServiceStub(channel)


async def test_a_rule_lives(stub: Stub) -> None:
    created = (await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=RULE))).rule
    assert (created.conditions, created.revision, wire.to_time(created.create_time)) == (CONDITIONS, 1, NOW)
    assert (await stub.GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="call"))).rule == created

    asked = pb.AutomationRule(rule_id="call", display_name="Ring", revision=1)
    update = pb.UpdateAutomationRuleRequest(rule=asked, update_mask=FieldMask(paths=["display_name"]))
    updated = (await stub.UpdateAutomationRule(update)).rule
    assert (updated.display_name, updated.enabled, updated.revision) == ("Ring", True, 2)

    await stub.DeleteAutomationRule(pb.DeleteAutomationRuleRequest(rule_id="call"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="call"))
    assert refusal(caught.value) == (grpc.StatusCode.NOT_FOUND, "RULE_NOT_FOUND", [])


async def test_an_update_without_a_mask_replaces_all(stub: Stub) -> None:
    asked = pb.AutomationRule(rule_id="old", conditions=pb.Conditions(minimum_score=5))
    updated = (await stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=asked))).rule
    assert (updated.display_name, updated.enabled, updated.conditions) == ("", False, asked.conditions)
    assert not updated.conditions.HasField("minimum_velocity")


async def test_rules_come_page_by_page(stub: Stub) -> None:
    for rule_id in ("c", "a", "b"):
        await stub.CreateAutomationRule(
            pb.CreateAutomationRuleRequest(rule=pb.AutomationRule(rule_id=rule_id, conditions=CONDITIONS))
        )
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        response = await stub.ListAutomationRules(pb.ListAutomationRulesRequest(page_size=2, page_token=token))
        pages.append([each.rule_id for each in response.rules])
        token = response.next_page_token
    assert pages == [["a", "b"], ["c", "old"]]


async def test_supposed_changes_tell_which_rules_would_fire(stub: Stub, executions: FakeExecutions) -> None:
    away = pb.AutomationRule(rule_id="away", enabled=True, conditions=pb.Conditions(stages=["cold"]))
    await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=away))
    before = len(executions.executions)
    changes = [
        pb.SupposedChange(lead_id="ada", score_before=20, score_after=40, stage_before="warm", stage_after="hot"),
        pb.SupposedChange(lead_id="bob", score_before=20, score_after=40, stage_before="warm", stage_after="hot"),
        pb.SupposedChange(lead_id="eve", score_before=20, score_after=5, stage_before="warm", stage_after="cold"),
        pb.SupposedChange(lead_id="nobody", score_after=40, stage_before="cold", stage_after="hot"),
    ]
    answer = await stub.PreviewAutomationRules(pb.PreviewAutomationRulesRequest(changes=changes))
    assert {each.rule_id: each.lead_count for each in answer.rules} == {"away": 1, "old": 2}
    assert len(executions.executions) == before, "nothing is recorded"


async def test_executions_come_page_by_page(stub: Stub) -> None:
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        request = pb.ListAutomationExecutionsRequest(page_size=2, page_token=token, lead_id="ada")
        response = await stub.ListAutomationExecutions(request)
        pages.append([each.date_bucket for each in response.executions])
        token = response.next_page_token
    assert pages == [["2026-03-03", "2026-03-02"], ["2026-03-01"]]


async def test_an_execution_is_told_whole(stub: Stub) -> None:
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
    )


FULL = pb.AutomationRule(
    rule_id="full",
    display_name="Full",
    enabled=True,
    trigger=pb.Trigger(score_crossed=pb.ScoreCrossed(threshold=60, direction=pb.DIRECTION_UPWARD)),
    conditions=pb.Conditions(
        stages=["hot"],
        minimum_score=1,
        maximum_score=9,
        minimum_velocity=2,
        maximum_velocity=8,
        next_actions=["monitor"],
        attributes=[
            pb.AttributeCondition(
                attribute="seats",
                operator=pb.OPERATOR_IN,
                values=[Value(number_value=2.5), Value(string_value="x"), Value(bool_value=True)],
            )
        ],
    ),
    actions=[
        pb.Action(
            action_id="crm",
            preset=pb.PRESET_ASSIGN_REP,
            parameters={"rep": "eve"},
            webhook=pb.Webhook(url="https://crm.example/x", secrets=[SECRET]),
        ),
        pb.Action(slack=pb.Slack(url="https://chat.example/secret", text="hi")),
        pb.Action(email=pb.Email(to=["a@b.example"], to_attribute="email", subject="s", body="b")),
    ],
    cool_down_days=3,
)


async def test_a_rule_is_told_whole_but_for_its_secrets(stub: Stub) -> None:
    created = await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=FULL))
    expected = pb.AutomationRule()
    expected.MergeFrom(FULL)
    del expected.actions[0].webhook.secrets[:]
    expected.actions[1].MergeFrom(pb.Action(action_id="2", slack=pb.Slack(url="https://chat.example")))
    expected.actions[2].action_id = "3"
    expected.MergeFrom(
        pb.AutomationRule(revision=1, create_time=created.rule.create_time, update_time=created.rule.update_time)
    )
    assert created.rule == expected
    assert len(created.warnings) == 2
    listed = await stub.ListAutomationRules(pb.ListAutomationRulesRequest())
    for answer in (created, listed, await stub.GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="full"))):
        assert SECRET not in str(answer)
        assert "chat.example/secret" not in str(answer)


@pytest.mark.parametrize(
    "trigger",
    [
        pb.Trigger(stage_entered=pb.StageEntered(stages=["hot"])),
        pb.Trigger(stage_left=pb.StageLeft(stages=["hot", "cold"])),
        pb.Trigger(event_received=pb.EventReceived(event_type="signup")),
        pb.Trigger(inactive=pb.Inactive(days=30)),
        pb.Trigger(while_condition_holds=pb.WhileConditionHolds()),
    ],
)
async def test_a_trigger_is_told_as_it_was_given(stub: Stub, trigger: pb.Trigger) -> None:
    created = await stub.CreateAutomationRule(_created(rule_id="triggered", trigger=trigger))
    assert created.rule.trigger == trigger


async def test_an_update_without_secrets_keeps_them(stub: Stub) -> None:
    await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=FULL))
    told = (await stub.GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="full"))).rule
    told.actions[0].webhook.url = "https://new.example/x"
    told.actions[1].slack.url = ""
    await stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=told))
    del told.actions[0].webhook.secrets[:]
    told.actions[0].action_id = "other"
    told.revision = 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=told))
    assert refusal(caught.value)[2] == ["actions[0].webhook.secrets"]


async def test_a_rule_is_tried_and_nothing_is_recorded(stub: Stub) -> None:
    rule_ = pb.AutomationRule(rule_id="new", conditions=pb.Conditions(stages=["hot"], minimum_velocity=10))
    rule_.actions.add(action_id="crm").webhook.MergeFrom(pb.Webhook(url="https://nowhere.example/", secrets=[SECRET]))
    tried = await stub.TestAutomationRule(pb.TestAutomationRuleRequest(rule=rule_, lead_id="ada"))
    found = {each.field: each.holds for each in tried.checks}
    assert found == {"trigger": True, "conditions.stages": True, "conditions.minimum_velocity": False}
    assert not tried.would_fire
    assert tried.checks[2].explanation == "velocity is 9, must be at least 10"
    assert list(tried.warnings) == ["actions[0].webhook: nobody knows the host"]
    assert json.loads(tried.deliveries[0].body)["data"]["lead"]["lead_id"] == "ada"
    stored = await stub.TestAutomationRule(pb.TestAutomationRuleRequest(rule_id="old", lead_id="ada"))
    assert stored.would_fire
    assert (stored.last_date_bucket, len((await stub.ListAutomationExecutions(_executions())).executions)) == ("", 3)


async def test_a_trial_tells_what_would_be_due_and_what_could_not_be_written(stub: Stub) -> None:
    asked = pb.AutomationRule(rule_id="new", conditions=CONDITIONS)
    asked.actions.add().webhook.MergeFrom(pb.Webhook(url="https://crm.example/", secrets=[SECRET]))
    asked.actions.add().email.MergeFrom(pb.Email(to_attribute="email"))
    tried = await stub.TestAutomationRule(pb.TestAutomationRuleRequest(rule=asked, lead_id="ada"))
    due, unwritten = tried.deliveries
    assert (due.state, wire.to_time(due.next_attempt_time), len(due.attempts)) == (pb.EXECUTION_STATE_PENDING, NOW, 0)
    assert (unwritten.state, unwritten.body) == (pb.EXECUTION_STATE_FAILED, b"")
    assert [each.error for each in unwritten.attempts] == ["the lead's attribute 'email' is not an e-mail address"]


async def test_an_execution_is_told_with_its_deliveries_and_retried(stub: Stub, executions: FakeExecutions) -> None:
    told = rule("old", None, webhook())
    failed = executed(change("eve"), told)
    answer = Answer(Fate.FINAL, 404, "no such thing")
    settled = failed.deliveries[0].settled(answer, NOW, timedelta(milliseconds=7), [], 1)
    await executions.record([replace(failed, deliveries=(settled,))])
    request = pb.GetAutomationExecutionRequest(execution_id=failed.execution_id)
    found = (await stub.GetAutomationExecution(request)).execution
    assert (found.state, found.deliveries[0].state) == (pb.EXECUTION_STATE_FAILED, pb.EXECUTION_STATE_FAILED)
    [attempt] = found.deliveries[0].attempts
    assert (attempt.status, attempt.answer, attempt.duration.ToMilliseconds()) == (404, "no such thing", 7)
    assert found.deliveries[0].body == failed.deliveries[0].body
    [listed] = (await stub.ListAutomationExecutions(_executions(state=pb.EXECUTION_STATE_FAILED))).executions
    assert listed.deliveries[0].body == b""
    retry = pb.RetryAutomationExecutionRequest(execution_id=failed.execution_id)
    again = (await stub.RetryAutomationExecution(retry)).execution
    assert (again.state, wire.to_time(again.deliveries[0].next_attempt_time)) == (pb.EXECUTION_STATE_PENDING, NOW)
    assert len(again.deliveries[0].attempts) == 1


async def test_what_could_not_be_written_is_not_retried(stub: Stub, executions: FakeExecutions) -> None:
    failed = executed(change("eve"), rule("old", None, Action("mail", Email(to_attribute="email"))))
    await executions.record([failed])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RetryAutomationExecution(pb.RetryAutomationExecutionRequest(execution_id=failed.execution_id))
    assert refusal(caught.value)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_RETRY")


def _created(**fields: object) -> pb.CreateAutomationRuleRequest:
    rule = pb.AutomationRule()
    rule.MergeFrom(RULE)
    rule.MergeFrom(pb.AutomationRule(**fields))  # type: ignore[arg-type]
    return pb.CreateAutomationRuleRequest(rule=rule)


def _action(**fields: object) -> pb.CreateAutomationRuleRequest:
    action = pb.Action(**fields)  # type: ignore[arg-type]
    if not action.WhichOneof("receiver"):
        action.webhook.MergeFrom(pb.Webhook(url="https://crm.example/", secrets=[SECRET]))
    return _created(actions=[action])


def _webhook(url: str = "https://crm.example/", secrets: Sequence[str] = (SECRET,)) -> pb.CreateAutomationRuleRequest:
    return _action(webhook=pb.Webhook(url=url, secrets=secrets))


def _updated(*paths: str, revision: int = 0) -> pb.UpdateAutomationRuleRequest:
    rule = pb.AutomationRule(rule_id="old", revision=revision)
    return pb.UpdateAutomationRuleRequest(rule=rule, update_mask=FieldMask(paths=paths))


def _executions(**fields: object) -> pb.ListAutomationExecutionsRequest:
    return pb.ListAutomationExecutionsRequest(**fields)  # type: ignore[arg-type]


_ANY_EXECUTION = ("ListAutomationExecutions", "", "", "", 0, "", "")
_UNKNOWN_RISK = 7
_DAMAGED = "?"


@pytest.mark.parametrize(
    ("method", "request_", "reason", "fields"),
    [
        ("CreateAutomationRule", pb.CreateAutomationRuleRequest(), "RULE_INVALID", ["rule_id"]),
        ("CreateAutomationRule", _created(rule_id="a\0"), "RULE_INVALID", ["rule_id"]),
        ("CreateAutomationRule", _created(display_name="a" * 257), "RULE_INVALID", ["display_name"]),
        (
            "CreateAutomationRule",
            pb.CreateAutomationRuleRequest(rule=pb.AutomationRule(rule_id="a")),
            "RULE_INVALID",
            ["conditions"],
        ),
        (
            "CreateAutomationRule",
            _created(conditions=pb.Conditions(stages=["hot"])),
            "RULE_INVALID",
            ["conditions.stages[0]"],
        ),
        (
            "CreateAutomationRule",
            _created(conditions=pb.Conditions(stages=["tepid"])),
            "RULE_INVALID",
            ["conditions.stages[1]"],
        ),
        (
            "CreateAutomationRule",
            _created(conditions=pb.Conditions(minimum_velocity=-1)),
            "RULE_INVALID",
            ["conditions.minimum_velocity"],
        ),
        (
            "CreateAutomationRule",
            _created(conditions=pb.Conditions(risk=_UNKNOWN_RISK)),  # type: ignore[arg-type]
            "RULE_INVALID",
            ["conditions.risk"],
        ),
        ("CreateAutomationRule", _created(rule_id="old"), "RULE_EXISTS", []),
        ("CreateAutomationRule", _created(actions=[pb.Action()]), "RULE_INVALID", ["actions[0]"]),
        ("CreateAutomationRule", _action(preset=99), "RULE_INVALID", ["actions[0].preset"]),
        ("CreateAutomationRule", _action(action_id="A b"), "RULE_INVALID", ["actions[0].action_id"]),
        ("CreateAutomationRule", _action(preset=pb.PRESET_ASSIGN_REP), "RULE_INVALID", ["actions[0].parameters"]),
        ("CreateAutomationRule", _action(preset=pb.PRESET_SEND_EMAIL), "RULE_INVALID", ["actions[0].preset"]),
        ("CreateAutomationRule", _webhook("http://crm.example/"), "RULE_INVALID", ["actions[0].webhook.url"]),
        ("CreateAutomationRule", _webhook("https://localhost/"), "RULE_INVALID", ["actions[0].webhook.url"]),
        ("CreateAutomationRule", _webhook(secrets=[]), "RULE_INVALID", ["actions[0].webhook.secrets"]),
        ("CreateAutomationRule", _webhook(secrets=["whsec_x"]), "RULE_INVALID", ["actions[0].webhook.secrets[0]"]),
        ("CreateAutomationRule", _webhook(secrets=[SECRET] * 3), "RULE_INVALID", ["actions[0].webhook.secrets"]),
        (
            "CreateAutomationRule",
            _action(email=pb.Email(to=["a@b.example"], body="{% for a in b %}{% endfor %}")),
            "RULE_INVALID",
            ["actions[0].email.body"],
        ),
        ("CreateAutomationRule", _action(email=pb.Email(to=["nobody"])), "RULE_INVALID", ["actions[0].email.to[0]"]),
        ("CreateAutomationRule", _action(email=pb.Email()), "RULE_INVALID", ["actions[0].email.to"]),
        ("CreateAutomationRule", _created(cool_down_days=999), "RULE_INVALID", ["cool_down_days"]),
        (
            "CreateAutomationRule",
            _created(trigger=pb.Trigger(score_crossed=pb.ScoreCrossed(threshold=1))),
            "RULE_INVALID",
            ["trigger.score_crossed.direction"],
        ),
        (
            "CreateAutomationRule",
            _created(conditions=pb.Conditions(attributes=[pb.AttributeCondition(attribute="a")])),
            "RULE_INVALID",
            ["conditions.attributes[0].operator"],
        ),
        ("PreviewAutomationRules", pb.PreviewAutomationRulesRequest(), "ARGUMENT_INVALID", ["changes"]),
        (
            "PreviewAutomationRules",
            pb.PreviewAutomationRulesRequest(changes=[pb.SupposedChange(lead_id="a\0")]),
            "ARGUMENT_INVALID",
            ["changes[0]"],
        ),
        ("TestAutomationRule", pb.TestAutomationRuleRequest(lead_id="ada"), "ARGUMENT_INVALID", ["rule_id"]),
        ("TestAutomationRule", pb.TestAutomationRuleRequest(rule_id="old"), "ARGUMENT_INVALID", ["lead_id"]),
        ("TestAutomationRule", pb.TestAutomationRuleRequest(rule_id="x", lead_id="a"), "RULE_NOT_FOUND", []),
        ("TestAutomationRule", pb.TestAutomationRuleRequest(rule_id="old", lead_id="nobody"), "LEAD_NOT_FOUND", []),
        ("GetAutomationExecution", pb.GetAutomationExecutionRequest(), "ARGUMENT_INVALID", ["execution_id"]),
        ("GetAutomationExecution", pb.GetAutomationExecutionRequest(execution_id="x"), "EXECUTION_NOT_FOUND", []),
        ("RetryAutomationExecution", pb.RetryAutomationExecutionRequest(), "ARGUMENT_INVALID", ["execution_id"]),
        (
            "RetryAutomationExecution",
            pb.RetryAutomationExecutionRequest(execution_id=EXECUTIONS[0].execution_id),
            "RULE_DISABLED",
            [],
        ),
        (
            "RetryAutomationExecution",
            pb.RetryAutomationExecutionRequest(execution_id=NOTHING_TO_DO.execution_id),
            "NOTHING_TO_RETRY",
            [],
        ),
        ("ListAutomationExecutions", _executions(state=99), "ARGUMENT_INVALID", ["state"]),
        ("ListAutomationExecutions", _executions(from_time=Timestamp(seconds=-1)), "ARGUMENT_INVALID", ["from_time"]),
        ("GetAutomationRule", pb.GetAutomationRuleRequest(), "ARGUMENT_INVALID", ["rule_id"]),
        ("DeleteAutomationRule", pb.DeleteAutomationRuleRequest(), "ARGUMENT_INVALID", ["rule_id"]),
        ("DeleteAutomationRule", pb.DeleteAutomationRuleRequest(rule_id="no"), "RULE_NOT_FOUND", []),
        ("ListAutomationRules", pb.ListAutomationRulesRequest(page_size=-1), "ARGUMENT_INVALID", ["page_size"]),
        (
            "ListAutomationRules",
            pb.ListAutomationRulesRequest(page_token=_DAMAGED),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
        ("UpdateAutomationRule", pb.UpdateAutomationRuleRequest(), "ARGUMENT_INVALID", ["rule.rule_id"]),
        ("UpdateAutomationRule", _updated("revision"), "ARGUMENT_INVALID", ["update_mask"]),
        ("UpdateAutomationRule", _updated("conditions"), "RULE_INVALID", ["conditions"]),
        ("UpdateAutomationRule", _updated("enabled", revision=5), "RULE_CHANGED", []),
        ("ListAutomationExecutions", _executions(page_size=-1), "ARGUMENT_INVALID", ["page_size"]),
        ("ListAutomationExecutions", _executions(lead_id="a\0"), "ARGUMENT_INVALID", ["lead_id"]),
        ("ListAutomationExecutions", _executions(rule_id="a" * 257), "ARGUMENT_INVALID", ["rule_id"]),
        ("ListAutomationExecutions", _executions(date_bucket="20260301"), "ARGUMENT_INVALID", ["date_bucket"]),
        ("ListAutomationExecutions", _executions(date_bucket="2026-02-30"), "ARGUMENT_INVALID", ["date_bucket"]),
        (
            "ListAutomationExecutions",
            _executions(page_token=write_token(("ListAutomationExecutions", "bob", "", ""), wire.now(), "x")),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
        (
            "ListAutomationExecutions",
            _executions(page_token=write_token(_ANY_EXECUTION, 2**80, "x")),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
        (
            "ListAutomationExecutions",
            _executions(page_token=write_token(_ANY_EXECUTION, "x")),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
    ],
)
async def test_a_bad_argument_is_named(
    stub: Stub, executions: FakeExecutions, method: str, request_: Message, reason: str, fields: list[str]
) -> None:
    codes = {
        "RULE_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
        "RULE_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
        "RULE_CHANGED": grpc.StatusCode.ABORTED,
        "RULE_DISABLED": grpc.StatusCode.FAILED_PRECONDITION,
        "NOTHING_TO_RETRY": grpc.StatusCode.FAILED_PRECONDITION,
        "LEAD_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
        "EXECUTION_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    }
    if reason == "NOTHING_TO_RETRY":
        await executions.record([NOTHING_TO_DO])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(request_)
    assert refusal(caught.value) == (codes.get(reason, grpc.StatusCode.INVALID_ARGUMENT), reason, fields)
