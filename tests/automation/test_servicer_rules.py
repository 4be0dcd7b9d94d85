"""Rules over gRPC: create, get, list, update, delete."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Value
from leadscore.automation.v1 import automation_pb2 as pb

from shared import wire
from testkit.receiver import SECRET
from testkit.serving import refusal
from tests.automation.fakes import NOW
from tests.automation.servicer import CONDITIONS, RULE, Stub, create_request


async def test_a_rule_is_created_updated_and_deleted(stub: Stub) -> None:
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


async def test_an_update_without_a_mask_replaces_every_field(stub: Stub) -> None:
    asked = pb.AutomationRule(rule_id="old", conditions=pb.Conditions(minimum_score=5))
    updated = (await stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=asked))).rule
    assert (updated.display_name, updated.enabled, updated.conditions) == ("", False, asked.conditions)
    assert not updated.conditions.HasField("minimum_velocity")


async def test_rules_are_listed_in_pages(stub: Stub) -> None:
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


async def test_every_field_of_a_rule_but_its_secrets_is_returned(stub: Stub) -> None:
    created = await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=FULL))
    expected = pb.AutomationRule()
    expected.MergeFrom(FULL)
    expected.actions[0].webhook.CopyFrom(pb.Webhook(url="https://crm.example"))
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
        assert "crm.example/" not in str(answer)


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
async def test_a_trigger_is_returned_as_it_was_sent(stub: Stub, trigger: pb.Trigger) -> None:
    created = await stub.CreateAutomationRule(create_request(rule_id="triggered", trigger=trigger))
    assert created.rule.trigger == trigger


@pytest.mark.parametrize(("action_id", "url"), [("other", "https://crm.example"), ("crm", "https://new.example/x")])
async def test_an_update_without_secrets_keeps_those_of_its_action_and_origin(
    stub: Stub, action_id: str, url: str
) -> None:
    await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=FULL))
    shown = (await stub.GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="full"))).rule
    shown.actions[0].webhook.url = "https://crm.example/new"
    shown.actions[1].slack.url = ""
    await stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=shown))
    shown.actions[0].MergeFrom(pb.Action(action_id=action_id, webhook=pb.Webhook(url=url)))
    shown.revision = 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=shown))
    assert refusal(caught.value)[2] == ["actions[0].webhook.secrets"]
