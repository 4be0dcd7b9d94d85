"""The automation rules of a world: one webhook for each path of the receiver."""

import grpc
from leadscore.automation.v1 import automation_pb2, automation_pb2_grpc

from testkit.receiver import SECRET, Receiver

CALL_SECONDS = 30.0
MINIMUM_SCORE = 11
"""The score at which the rules fire."""


async def create(channel: grpc.aio.Channel, receiver: Receiver, path: str) -> None:
    """Creates the rule of a path."""
    rule = automation_pb2.AutomationRule(rule_id=path[1:], enabled=True)
    rule.conditions.minimum_score = MINIMUM_SCORE
    action = rule.actions.add(action_id="crm")
    action.webhook.url = receiver.url(path)
    action.webhook.secrets.append(SECRET)
    stub: automation_pb2_grpc.AutomationServiceAsyncStub = automation_pb2_grpc.AutomationServiceStub(channel)
    request = automation_pb2.CreateAutomationRuleRequest(rule=rule)
    await stub.CreateAutomationRule(request, timeout=CALL_SECONDS, wait_for_ready=True)


async def enable(channel: grpc.aio.Channel, path: str) -> None:
    """Enables the rule of a path again, as an operator does after its receiver was gone (HTTP 410)."""
    update = automation_pb2.UpdateAutomationRuleRequest(
        rule=automation_pb2.AutomationRule(rule_id=path[1:], enabled=True)
    )
    update.update_mask.paths.append("enabled")
    stub: automation_pb2_grpc.AutomationServiceAsyncStub = automation_pb2_grpc.AutomationServiceStub(channel)
    await stub.UpdateAutomationRule(update, timeout=CALL_SECONDS, wait_for_ready=True)
