"""Invalid requests over gRPC."""

from collections.abc import Sequence

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.automation.v1 import automation_pb2 as pb

from shared import wire
from shared.rpc.pagination import write_token
from testkit.receiver import SECRET
from testkit.serving import refusal
from tests.automation.fake_stores import FakeExecutions
from tests.automation.servicer import EXECUTIONS, NOTHING_TO_DO, Stub, create_request, list_executions


def _action(**fields: object) -> pb.CreateAutomationRuleRequest:
    action = pb.Action(**fields)  # type: ignore[arg-type]
    if not action.WhichOneof("receiver"):
        action.webhook.MergeFrom(pb.Webhook(url="https://crm.example/", secrets=[SECRET]))
    return create_request(actions=[action])


def _webhook(url: str = "https://crm.example/", secrets: Sequence[str] = (SECRET,)) -> pb.CreateAutomationRuleRequest:
    return _action(webhook=pb.Webhook(url=url, secrets=secrets))


def _updated(*paths: str, revision: int = 0) -> pb.UpdateAutomationRuleRequest:
    rule = pb.AutomationRule(rule_id="old", revision=revision)
    return pb.UpdateAutomationRuleRequest(rule=rule, update_mask=FieldMask(paths=paths))


_ANY_EXECUTION = ("ListAutomationExecutions", "", "", "", 0, "", "")
_UNKNOWN_RISK = 7
_DAMAGED = "?"


@pytest.mark.parametrize(
    ("method", "request_", "reason", "fields"),
    [
        ("CreateAutomationRule", pb.CreateAutomationRuleRequest(), "RULE_INVALID", ["rule_id"]),
        ("CreateAutomationRule", create_request(rule_id="a\0"), "RULE_INVALID", ["rule_id"]),
        ("CreateAutomationRule", create_request(display_name="a" * 257), "RULE_INVALID", ["display_name"]),
        (
            "CreateAutomationRule",
            pb.CreateAutomationRuleRequest(rule=pb.AutomationRule(rule_id="a")),
            "RULE_INVALID",
            ["conditions"],
        ),
        (
            "CreateAutomationRule",
            create_request(conditions=pb.Conditions(stages=["hot"])),
            "RULE_INVALID",
            ["conditions.stages[0]"],
        ),
        (
            "CreateAutomationRule",
            create_request(conditions=pb.Conditions(stages=["tepid"])),
            "RULE_INVALID",
            ["conditions.stages[1]"],
        ),
        (
            "CreateAutomationRule",
            create_request(conditions=pb.Conditions(minimum_velocity=-1)),
            "RULE_INVALID",
            ["conditions.minimum_velocity"],
        ),
        (
            "CreateAutomationRule",
            create_request(conditions=pb.Conditions(risk=_UNKNOWN_RISK)),  # type: ignore[arg-type]
            "RULE_INVALID",
            ["conditions.risk"],
        ),
        ("CreateAutomationRule", create_request(rule_id="old"), "RULE_EXISTS", []),
        ("CreateAutomationRule", create_request(actions=[pb.Action()]), "RULE_INVALID", ["actions[0]"]),
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
        ("CreateAutomationRule", create_request(cool_down_days=999), "RULE_INVALID", ["cool_down_days"]),
        (
            "CreateAutomationRule",
            create_request(trigger=pb.Trigger(score_crossed=pb.ScoreCrossed(threshold=1))),
            "RULE_INVALID",
            ["trigger.score_crossed.direction"],
        ),
        (
            "CreateAutomationRule",
            create_request(conditions=pb.Conditions(attributes=[pb.AttributeCondition(attribute="a")])),
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
        ("ListAutomationExecutions", list_executions(state=99), "ARGUMENT_INVALID", ["state"]),
        (
            "ListAutomationExecutions",
            list_executions(from_time=Timestamp(seconds=-1)),
            "ARGUMENT_INVALID",
            ["from_time"],
        ),
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
        ("ListAutomationExecutions", list_executions(page_size=-1), "ARGUMENT_INVALID", ["page_size"]),
        ("ListAutomationExecutions", list_executions(lead_id="a\0"), "ARGUMENT_INVALID", ["lead_id"]),
        ("ListAutomationExecutions", list_executions(rule_id="a" * 257), "ARGUMENT_INVALID", ["rule_id"]),
        ("RetryAutomationExecutions", pb.RetryAutomationExecutionsRequest(rule_id="a"), "ARGUMENT_INVALID", ["state"]),
        (
            "RetryAutomationExecutions",
            pb.RetryAutomationExecutionsRequest(state=pb.EXECUTION_STATE_DELIVERED),
            "ARGUMENT_INVALID",
            ["state"],
        ),
        ("ListAutomationExecutions", list_executions(date_bucket="20260301"), "ARGUMENT_INVALID", ["date_bucket"]),
        ("ListAutomationExecutions", list_executions(date_bucket="2026-02-30"), "ARGUMENT_INVALID", ["date_bucket"]),
        (
            "ListAutomationExecutions",
            list_executions(page_token=write_token(("ListAutomationExecutions", "bob", "", ""), wire.now(), "x")),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
        (
            "ListAutomationExecutions",
            list_executions(page_token=write_token(_ANY_EXECUTION, 2**80, "x")),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
        (
            "ListAutomationExecutions",
            list_executions(page_token=write_token(_ANY_EXECUTION, "x")),
            "PAGE_TOKEN_INVALID",
            ["page_token"],
        ),
    ],
)
async def test_an_invalid_request_is_refused_with_reason_and_field(
    stub: Stub, recorded: FakeExecutions, method: str, request_: Message, reason: str, fields: list[str]
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
        await recorded.record([NOTHING_TO_DO])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(request_)
    assert refusal(caught.value) == (codes.get(reason, grpc.StatusCode.INVALID_ARGUMENT), reason, fields)
