"""The service over gRPC."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TypeAlias

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from automation_service.servicer import ERRORS, AutomationServicer
from automation_service.templates import SandboxedTemplates
from automation_service.usecases import Operation, RuleBook, Scrutiny
from shared import wire
from shared.pages import write_token
from shared.pb.automation.v1 import automation_pb2 as pb
from shared.pb.automation.v1 import automation_pb2_grpc
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
)
from tests.serving import refusal, served

Stub: TypeAlias = "automation_pb2_grpc.AutomationServiceAsyncStub"
CONDITIONS = pb.Conditions(stages=["hot"], minimum_score=0, minimum_velocity=9, risk=pb.RISK_LOW)
RULE = pb.AutomationRule(rule_id="call", display_name="Call", enabled=True, conditions=CONDITIONS)
EXECUTIONS = [executed(change("ada", day=day), rule(), NOW + timedelta(days=day)) for day in (3, 2, 1)]


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    executions = FakeExecutions()
    await executions.record(EXECUTIONS)
    scrutiny = Scrutiny(FakeModels(), FakeReceivers(), SandboxedTemplates(), allow_http=False)
    rules, insights = FakeRules(rule("old"), executions=executions), FakeInsights(unknown=["nobody"])
    servicer = AutomationServicer(
        RuleBook(rules, scrutiny, lambda: NOW), Operation(rules, executions, insights, scrutiny, SENDER, lambda: NOW)
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


def _created(**fields: object) -> pb.CreateAutomationRuleRequest:
    rule = pb.AutomationRule()
    rule.MergeFrom(RULE)
    rule.MergeFrom(pb.AutomationRule(**fields))  # type: ignore[arg-type]
    return pb.CreateAutomationRuleRequest(rule=rule)


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
    stub: Stub, method: str, request_: Message, reason: str, fields: list[str]
) -> None:
    codes = {
        "RULE_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
        "RULE_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
        "RULE_CHANGED": grpc.StatusCode.ABORTED,
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(request_)
    assert refusal(caught.value) == (codes.get(reason, grpc.StatusCode.INVALID_ARGUMENT), reason, fields)
