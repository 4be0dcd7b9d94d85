"""What the tests of the servicer share."""

from datetime import timedelta
from typing import Any, TypeAlias

from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1 import automation_pb2_grpc

from tests.automation.fakes import NOW, change, executed, rule

Stub: TypeAlias = "automation_pb2_grpc.AutomationServiceAsyncStub"
CONDITIONS = pb.Conditions(stages=["hot"], minimum_score=0, minimum_velocity=9, risk=pb.RISK_LOW)
RULE = pb.AutomationRule(rule_id="call", display_name="Call", enabled=True, conditions=CONDITIONS)
NOTHING_PARKED: Any = None
"""What is parked has a test of its own, on a real database."""
NO_BACKLOG: Any = None
"""So has what waits."""
NOTHING_TO_DO = executed(change("bob"), rule("old"))
EXECUTIONS = [executed(change("ada", day=day), rule(), NOW + timedelta(days=day)) for day in (3, 2, 1)]


def list_executions(**fields: object) -> pb.ListAutomationExecutionsRequest:
    return pb.ListAutomationExecutionsRequest(**fields)  # type: ignore[arg-type]


def create_request(**fields: object) -> pb.CreateAutomationRuleRequest:
    request = pb.CreateAutomationRuleRequest(rule=RULE)
    request.rule.MergeFrom(pb.AutomationRule(**fields))  # type: ignore[arg-type]
    return request
