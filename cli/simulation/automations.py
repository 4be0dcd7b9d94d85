"""Which automation rules would fire if a model were published."""

from collections.abc import Iterable

from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.scoring.v1.scoring_pb2 import LeadDifference

from cli.terminal.connection import CALL_SECONDS


def executions_per_rule(rules: AutomationServiceStub, differences: Iterable[LeadDifference]) -> dict[str, int]:
    """Returns how many executions each rule would make, by rule id, for the leads of one page of a simulation.

    No rule fires for a lead whose last event is historical.

    Raises:
        grpc.RpcError: The automation service does not answer.
    """
    changes = [
        pb.SupposedChange(
            lead_id=each.lead_id,
            score_before=each.score_before,
            score_after=each.score_after,
            stage_before=each.stage_before,
            stage_after=each.stage_after,
        )
        for each in differences
        if (each.score_before, each.stage_before) != (each.score_after, each.stage_after)
        and not each.last_event_historical
    ]
    if not changes:
        return {}
    request = pb.PreviewAutomationRulesRequest(changes=changes)
    return {each.rule_id: each.lead_count for each in rules.PreviewAutomationRules(request, timeout=CALL_SECONDS).rules}
