"""gRPC ⇄ domain, and what callers see of each error."""

import re
from datetime import date, datetime

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from automation_service.domain.execution import Execution
from automation_service.domain.rule import (
    Conditions,
    Draft,
    InvalidRule,
    Risk,
    Rule,
    RuleChanged,
    RuleExists,
    RuleNotFound,
)
from automation_service.ports import ExecutionQuery, Executions
from automation_service.usecases import RuleBook
from shared import wire
from shared.arguments import identifier, optional_text
from shared.errors import ARGUMENTS, ErrorRow, ErrorTable, InvalidArgument
from shared.pages import page_size, read_token, write_token
from shared.pb.automation.v1 import automation_pb2 as pb
from shared.pb.automation.v1 import automation_pb2_grpc
from shared.server import Context

SERVICE = "leadscore.automation.v1.AutomationService"

ERRORS: ErrorTable = {
    **ARGUMENTS,
    InvalidRule: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "RULE_INVALID"),
    RuleExists: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "RULE_EXISTS"),
    RuleNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "RULE_NOT_FOUND"),
    RuleChanged: ErrorRow(grpc.StatusCode.ABORTED, "RULE_CHANGED"),
}

DEFAULT_PAGE, MOST_PAGE = 50, 500
_FIELDS = ("display_name", "enabled", "conditions")
_RISKS = {pb.RISK_UNSPECIFIED: None, pb.RISK_LOW: Risk.LOW, pb.RISK_HIGH: Risk.HIGH}
_RISKS_ON_THE_WIRE = {risk: number for number, risk in _RISKS.items()}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class AutomationServicer(automation_pb2_grpc.AutomationServiceServicer):
    """Translates; the use cases do the work."""

    def __init__(self, book: RuleBook, executions: Executions) -> None:
        self._book = book
        self._executions = executions

    async def CreateAutomationRule(
        self, request: pb.CreateAutomationRuleRequest, context: Context
    ) -> pb.CreateAutomationRuleResponse:
        """See `automation.proto`."""
        return pb.CreateAutomationRuleResponse(rule=_rule(await self._book.create(_draft(request.rule))))

    async def GetAutomationRule(
        self, request: pb.GetAutomationRuleRequest, context: Context
    ) -> pb.GetAutomationRuleResponse:
        """See `automation.proto`."""
        rule_id = identifier("rule_id", request.rule_id)
        return pb.GetAutomationRuleResponse(rule=_rule(await self._book.rules.get(rule_id)))

    async def ListAutomationRules(
        self, request: pb.ListAutomationRulesRequest, context: Context
    ) -> pb.ListAutomationRulesResponse:
        """See `automation.proto`."""
        most = page_size(request.page_size, default=DEFAULT_PAGE, most=MOST_PAGE)
        asked = ("ListAutomationRules",)
        rules = await self._book.rules.page(read_token(asked, request.page_token, str), most + 1)
        token = write_token(asked, rules[most - 1].draft.rule_id) if len(rules) > most else ""
        return pb.ListAutomationRulesResponse(rules=[_rule(rule) for rule in rules[:most]], next_page_token=token)

    async def UpdateAutomationRule(
        self, request: pb.UpdateAutomationRuleRequest, context: Context
    ) -> pb.UpdateAutomationRuleResponse:
        """See `automation.proto`."""
        identifier("rule.rule_id", request.rule.rule_id)
        fields = _fields(request.update_mask)
        rule = await self._book.update(_draft(request.rule), fields, request.rule.revision)
        return pb.UpdateAutomationRuleResponse(rule=_rule(rule))

    async def DeleteAutomationRule(
        self, request: pb.DeleteAutomationRuleRequest, context: Context
    ) -> pb.DeleteAutomationRuleResponse:
        """See `automation.proto`."""
        await self._book.rules.delete(identifier("rule_id", request.rule_id))
        return pb.DeleteAutomationRuleResponse()

    async def ListAutomationExecutions(
        self, request: pb.ListAutomationExecutionsRequest, context: Context
    ) -> pb.ListAutomationExecutionsResponse:
        """See `automation.proto`."""
        most = page_size(request.page_size, default=DEFAULT_PAGE, most=MOST_PAGE)
        lead_id, rule_id = optional_text("lead_id", request.lead_id), optional_text("rule_id", request.rule_id)
        asked = ("ListAutomationExecutions", lead_id, rule_id, _date_bucket(request.date_bucket))
        after = read_token(asked, request.page_token, datetime, str)
        found = await self._executions.page(ExecutionQuery(most + 1, lead_id, rule_id, request.date_bucket, after))
        last = found[most - 1] if len(found) > most else None
        token = write_token(asked, last.record_time, last.execution_id) if last else ""
        return pb.ListAutomationExecutionsResponse(
            executions=[_execution(each) for each in found[:most]], next_page_token=token
        )


def _draft(rule: pb.AutomationRule) -> Draft:
    asked = rule.conditions
    if asked.risk not in _RISKS:
        raise InvalidRule("conditions.risk", f"{asked.risk} is no Risk")
    conditions = Conditions(
        stages=tuple(asked.stages),
        minimum_score=asked.minimum_score if asked.HasField("minimum_score") else None,
        minimum_velocity=asked.minimum_velocity if asked.HasField("minimum_velocity") else None,
        risk=_RISKS[asked.risk],
    )
    return Draft(rule.rule_id, rule.display_name, rule.enabled, conditions)


def _rule(rule: Rule) -> pb.AutomationRule:
    draft, asked = rule.draft, rule.draft.conditions
    return pb.AutomationRule(
        rule_id=draft.rule_id,
        display_name=draft.display_name,
        enabled=draft.enabled,
        conditions=pb.Conditions(
            stages=asked.stages,
            minimum_score=asked.minimum_score,
            minimum_velocity=asked.minimum_velocity,
            risk=_RISKS_ON_THE_WIRE[asked.risk],
        ),
        revision=rule.revision,
        create_time=wire.to_timestamp(rule.create_time),
        update_time=wire.to_timestamp(rule.update_time),
    )


def _execution(execution: Execution) -> pb.AutomationExecution:
    return pb.AutomationExecution(
        execution_id=execution.execution_id,
        rule_id=execution.key.rule_id,
        lead_id=execution.key.lead_id,
        date_bucket=execution.key.date_bucket,
        state=pb.EXECUTION_STATE_RECORDED,
        change_sequence=execution.change_sequence,
        score=execution.score,
        stage_before=execution.stage_before,
        stage_after=execution.stage_after,
        velocity=execution.insight.velocity,
        risk=_RISKS_ON_THE_WIRE[execution.insight.risk],
        next_action=execution.insight.next_action,
        record_time=wire.to_timestamp(execution.record_time),
    )


def _fields(mask: FieldMask) -> tuple[str, ...]:
    for path in mask.paths:
        if path not in _FIELDS:
            raise InvalidArgument("update_mask", f"{path!r} is none of {', '.join(_FIELDS)}")
    return tuple(mask.paths) or _FIELDS


def _date_bucket(text: str) -> str:
    if text:
        try:
            date.fromisoformat(text if _DATE.fullmatch(text) else "")
        except ValueError:
            raise InvalidArgument("date_bucket", f"{text[:20]!r} is no date, must be YYYY-MM-DD") from None
    return text
