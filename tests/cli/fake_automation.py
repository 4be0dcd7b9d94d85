"""An automation service with rules in memory."""

from typing import Any

import grpc
from grpc_status import rpc_status
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1 import automation_pb2_grpc

from shared.rpc.errors import ErrorRow, ErrorTable, status_of
from tests.cli.fake_pages import MAX_PAGE, page


class InvalidRule(Exception):
    """A rule asks for the stage `tepid`, which the model does not have."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: 'tepid' is not a stage of the model")
        self.field = field


class RuleExists(Exception):
    """There is a rule with this id."""


class RuleNotFound(Exception):
    """There is no rule with this id."""


ERRORS: ErrorTable = {
    InvalidRule: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "RULE_INVALID"),
    RuleExists: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "RULE_EXISTS"),
    RuleNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "RULE_NOT_FOUND"),
}


class FakeAutomation(automation_pb2_grpc.AutomationServiceServicer):
    """Keeps rules, without their secrets.

    One rule fires for every lead that enters the stage `hot`. There are more rules and executions than a page holds.
    """

    def __init__(self) -> None:
        self.backlog = pb.GetAutomationBacklogResponse()
        self.rules: dict[str, pb.AutomationRule] = {}
        self.enabled = False
        """Whether the rules of a list are enabled."""
        self.requests: list[Any] = []
        """The calls that retry executions, oldest first."""

    def CreateAutomationRule(
        self, request: pb.CreateAutomationRuleRequest, context: grpc.ServicerContext
    ) -> pb.CreateAutomationRuleResponse:
        """See `automation.proto`."""
        if request.rule.rule_id in self.rules:
            _refuse(context, RuleExists("there is such a rule"))
        _check(request.rule, context)
        return pb.CreateAutomationRuleResponse(rule=self._store(request.rule, validate_only=request.validate_only))

    def UpdateAutomationRule(
        self, request: pb.UpdateAutomationRuleRequest, context: grpc.ServicerContext
    ) -> pb.UpdateAutomationRuleResponse:
        """See `automation.proto`."""
        if request.rule.rule_id not in self.rules:
            _refuse(context, RuleNotFound("there is no such rule"))
        _check(request.rule, context)
        return pb.UpdateAutomationRuleResponse(rule=self._store(request.rule, validate_only=request.validate_only))

    def GetAutomationRule(
        self, request: pb.GetAutomationRuleRequest, context: grpc.ServicerContext
    ) -> pb.GetAutomationRuleResponse:
        """See `automation.proto`."""
        if request.rule_id not in self.rules:
            _refuse(context, RuleNotFound("there is no such rule"))
        return pb.GetAutomationRuleResponse(rule=self.rules[request.rule_id])

    def _store(self, rule: pb.AutomationRule, *, validate_only: bool) -> pb.AutomationRule:
        stored = pb.AutomationRule()
        stored.CopyFrom(rule)
        for action in stored.actions:
            if action.HasField("webhook"):
                action.webhook.ClearField("secrets")
        if not validate_only:
            self.rules[rule.rule_id] = stored
        return stored

    def GetAutomationBacklog(self, request: Any, context: grpc.ServicerContext) -> pb.GetAutomationBacklogResponse:
        """See `automation.proto`."""
        return self.backlog

    def ListAutomationRules(
        self, request: pb.ListAutomationRulesRequest, context: grpc.ServicerContext
    ) -> pb.ListAutomationRulesResponse:
        """See `automation.proto`."""
        numbers, token = page(2 * MAX_PAGE + 1, request)
        rules = [pb.AutomationRule(rule_id=f"r-{number + 1}", enabled=self.enabled) for number in numbers]
        return pb.ListAutomationRulesResponse(rules=rules, next_page_token=token)

    def DeleteAutomationRule(
        self, request: pb.DeleteAutomationRuleRequest, context: grpc.ServicerContext
    ) -> pb.DeleteAutomationRuleResponse:
        """See `automation.proto`."""
        return pb.DeleteAutomationRuleResponse()

    def ListAutomationExecutions(
        self, request: pb.ListAutomationExecutionsRequest, context: grpc.ServicerContext
    ) -> pb.ListAutomationExecutionsResponse:
        """See `automation.proto`."""
        numbers, token = page(2 * MAX_PAGE + 1, request)
        executions = [
            pb.AutomationExecution(execution_id=f"x-{number + 1}", lead_id=request.lead_id) for number in numbers
        ]
        return pb.ListAutomationExecutionsResponse(executions=executions, next_page_token=token)

    def RetryAutomationExecutions(
        self, request: pb.RetryAutomationExecutionsRequest, context: grpc.ServicerContext
    ) -> pb.RetryAutomationExecutionsResponse:
        """See `automation.proto`."""
        asked = pb.RetryAutomationExecutionsRequest()
        asked.CopyFrom(request)
        self.requests.append(asked)
        numbers, token = page(2 * MAX_PAGE + 1, request)
        count = len(list(numbers))
        return pb.RetryAutomationExecutionsResponse(retried_count=count - 1, skipped_count=1, next_page_token=token)

    def PreviewAutomationRules(
        self, request: pb.PreviewAutomationRulesRequest, context: grpc.ServicerContext
    ) -> pb.PreviewAutomationRulesResponse:
        """See `automation.proto`."""
        count = sum(1 for each in request.changes if each.stage_after == "hot")
        rules = [pb.RulePreview(rule_id="call-hot", lead_count=count)]
        return pb.PreviewAutomationRulesResponse(rules=rules)

    def HoldDeliveries(
        self, request: pb.HoldDeliveriesRequest, context: grpc.ServicerContext
    ) -> pb.HoldDeliveriesResponse:
        """See `automation.proto`."""
        return pb.HoldDeliveriesResponse(hold=pb.DeliveryHold(reason=request.reason, actor=request.actor))

    def ReleaseDeliveries(
        self, request: pb.ReleaseDeliveriesRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseDeliveriesResponse:
        """See `automation.proto`. The first call that cancels has no time for all of it."""
        cancels = request.HasField("cancel_recorded_before")
        self.requests.append(request)
        released = not cancels or len(self.requests) > 1
        return pb.ReleaseDeliveriesResponse(cancelled_count=500 if cancels else 0, released=released)

    def ListParkedChanges(self, request: Any, context: grpc.ServicerContext) -> pb.ListParkedChangesResponse:
        """See `automation.proto`."""
        change = pb.ParkedChange(change_id="bob:2", lead_id="bob", attempts=5, reason="[boom]\x1b")
        return pb.ListParkedChangesResponse(parked_changes=[change])

    def RetryParkedChanges(self, request: Any, context: grpc.ServicerContext) -> pb.RetryParkedChangesResponse:
        """See `automation.proto`."""
        return pb.RetryParkedChangesResponse(retried_count=2)

    def DiscardParkedChanges(self, request: Any, context: grpc.ServicerContext) -> pb.DiscardParkedChangesResponse:
        """See `automation.proto`."""
        return pb.DiscardParkedChangesResponse(discarded_count=2)


def _check(rule: pb.AutomationRule, context: grpc.ServicerContext) -> None:
    for index, stage in enumerate(rule.trigger.stage_entered.stages):
        if stage == "tepid":
            _refuse(context, InvalidRule(f"trigger.stage_entered.stages[{index}]"))


def _refuse(context: grpc.ServicerContext, error: Exception) -> None:
    context.abort_with_status(rpc_status.to_status(status_of(error, ERRORS)))
