"""Who may call which method, and which calls are audited."""

from leadscore.automation.v1 import automation_pb2 as pb

from shared.access.enforcement import Methods
from shared.access.roles import Role


def _rule(request: pb.CreateAutomationRuleRequest | pb.UpdateAutomationRuleRequest) -> str:
    return "" if request.validate_only else f"rule {request.rule.rule_id}"


def _deleted_rule(request: pb.DeleteAutomationRuleRequest) -> str:
    return f"rule {request.rule_id}"


def _execution(request: pb.RetryAutomationExecutionRequest) -> str:
    return f"execution {request.execution_id}"


def _executions(request: pb.RetryAutomationExecutionsRequest) -> str:
    rule = f"of rule {request.rule_id}" if request.rule_id else "of every rule"
    lead = f" and lead {request.lead_id}" if request.lead_id else ""
    return f"executions {rule}{lead}"


def _changes(request: pb.RetryParkedChangesRequest | pb.DiscardParkedChangesRequest) -> str:
    return "all parked changes" if request.all else f"changes {', '.join(request.change_ids)}"


def _deliveries(request: pb.HoldDeliveriesRequest | pb.ReleaseDeliveriesRequest) -> str:
    cancels = isinstance(request, pb.ReleaseDeliveriesRequest) and request.HasField("cancel_recorded_before")
    return "all deliveries, pending ones cancelled" if cancels else "all deliveries"


METHODS = Methods(
    roles={
        "GetAutomationRule": Role.READ,
        "ListAutomationRules": Role.READ,
        "GetAutomationExecution": Role.READ,
        "ListAutomationExecutions": Role.READ,
        "GetAutomationBacklog": Role.READ,
        "CreateAutomationRule": Role.PUBLISH,
        "UpdateAutomationRule": Role.PUBLISH,
        "DeleteAutomationRule": Role.PUBLISH,
        "TestAutomationRule": Role.PUBLISH,
        "PreviewAutomationRules": Role.PUBLISH,
        "RetryAutomationExecution": Role.OPERATE,
        "RetryAutomationExecutions": Role.OPERATE,
        "HoldDeliveries": Role.OPERATE,
        "ReleaseDeliveries": Role.OPERATE,
        "ListParkedChanges": Role.OPERATE,
        "RetryParkedChanges": Role.OPERATE,
        "DiscardParkedChanges": Role.OPERATE,
    },
    audited={
        "CreateAutomationRule": _rule,
        "UpdateAutomationRule": _rule,
        "DeleteAutomationRule": _deleted_rule,
        "RetryAutomationExecution": _execution,
        "RetryAutomationExecutions": _executions,
        "HoldDeliveries": _deliveries,
        "ReleaseDeliveries": _deliveries,
        "RetryParkedChanges": _changes,
        "DiscardParkedChanges": _changes,
    },
)
