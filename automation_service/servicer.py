"""Translates between gRPC and the use cases, and maps each error to a status code."""

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1 import automation_pb2_grpc

from automation_service.domain.delivery import ExecutionState
from automation_service.domain.execution import ExecutionNotFound, NothingToRetry, Unrenderable
from automation_service.domain.lead import LeadNotFound
from automation_service.domain.limits import InvalidRule
from automation_service.domain.rule import RuleChanged, RuleDisabled, RuleExists, RuleNotFound
from automation_service.messages import (
    STATES,
    read_hypothetical,
    write_backlog,
    write_check,
    write_delivery,
    write_execution,
    write_hold,
    write_parked,
)
from automation_service.ports import ExecutionQuery, Executions
from automation_service.rule_codec import read_rule, write_rule
from automation_service.usecases.backlog import Backlog
from automation_service.usecases.hold import Holding
from automation_service.usecases.rules import RuleBook
from automation_service.usecases.trials import RuleTester
from shared.access import callers
from shared.access.errors import ACCESS
from shared.inbox.parking import Parking
from shared.rpc.arguments import identifier, identifiers, ids_or_all, optional_text, optional_time
from shared.rpc.errors import ARGUMENTS, ErrorRow, ErrorTable, InvalidArgument
from shared.rpc.handlers import Context
from shared.rpc.pagination import Page, asked_page

SERVICE = "leadscore.automation.v1.AutomationService"

ERRORS: ErrorTable = {
    **ARGUMENTS,
    **ACCESS,
    InvalidRule: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "RULE_INVALID"),
    Unrenderable: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "RULE_INVALID"),
    RuleExists: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "RULE_EXISTS"),
    RuleNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "RULE_NOT_FOUND"),
    RuleChanged: ErrorRow(grpc.StatusCode.ABORTED, "RULE_CHANGED"),
    RuleDisabled: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "RULE_DISABLED"),
    LeadNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "LEAD_NOT_FOUND"),
    ExecutionNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "EXECUTION_NOT_FOUND"),
    NothingToRetry: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_RETRY"),
}

DEFAULT_PAGE, MAX_PAGE = 50, 500
MAX_CHANGES = 500
"""Hypothetical changes in a preview, and parked changes in a retry."""
MAX_REASON = 1024
"""Characters of the reason for discarding changes or holding deliveries."""
RETRIED = (pb.EXECUTION_STATE_FAILED, pb.EXECUTION_STATE_CANCELLED, pb.EXECUTION_STATE_PENDING)
"""The states of executions that can have something to retry."""
_FIELDS = ("display_name", "enabled", "trigger", "conditions", "actions", "cool_down_days", "per")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class AutomationServicer(automation_pb2_grpc.AutomationServiceServicer):
    """Translates requests and responses; the use cases do the work. What is read from `listed` may be stale."""

    def __init__(
        self,
        book: RuleBook,
        tester: RuleTester,
        listed: Executions,
        parking: Parking,
        read_backlog: Callable[[], Awaitable[Backlog]],
        holding: Holding,
    ) -> None:
        self._book = book
        self._tester = tester
        self._executions = tester.executions
        self._listed = listed
        self._parking = parking
        self._read_backlog = read_backlog
        self._holding = holding

    async def CreateAutomationRule(
        self, request: pb.CreateAutomationRuleRequest, context: Context
    ) -> pb.CreateAutomationRuleResponse:
        """See `automation.proto`."""
        rule, warnings = await self._book.create(read_rule(request.rule), validate_only=request.validate_only)
        return pb.CreateAutomationRuleResponse(rule=write_rule(rule), warnings=warnings)

    async def GetAutomationRule(
        self, request: pb.GetAutomationRuleRequest, context: Context
    ) -> pb.GetAutomationRuleResponse:
        """See `automation.proto`."""
        rule_id = identifier("rule_id", request.rule_id)
        return pb.GetAutomationRuleResponse(rule=write_rule(await self._book.rules.get(rule_id)))

    async def ListAutomationRules(
        self, request: pb.ListAutomationRulesRequest, context: Context
    ) -> pb.ListAutomationRulesResponse:
        """See `automation.proto`."""
        page = asked_page(request, ("ListAutomationRules",), str, default=DEFAULT_PAGE, limit=MAX_PAGE)
        found = await self._book.rules.page(page.after, page.limit)
        rules, token = page.cut(found, lambda rule: (rule.draft.rule_id,))
        return pb.ListAutomationRulesResponse(rules=map(write_rule, rules), next_page_token=token)

    async def UpdateAutomationRule(
        self, request: pb.UpdateAutomationRuleRequest, context: Context
    ) -> pb.UpdateAutomationRuleResponse:
        """See `automation.proto`."""
        identifier("rule.rule_id", request.rule.rule_id)
        fields = _fields(request.update_mask)
        rule, warnings = await self._book.update(
            read_rule(request.rule), fields, request.rule.revision, validate_only=request.validate_only
        )
        return pb.UpdateAutomationRuleResponse(rule=write_rule(rule), warnings=warnings)

    async def DeleteAutomationRule(
        self, request: pb.DeleteAutomationRuleRequest, context: Context
    ) -> pb.DeleteAutomationRuleResponse:
        """See `automation.proto`."""
        await self._book.rules.delete(identifier("rule_id", request.rule_id))
        return pb.DeleteAutomationRuleResponse()

    async def TestAutomationRule(
        self, request: pb.TestAutomationRuleRequest, context: Context
    ) -> pb.TestAutomationRuleResponse:
        """See `automation.proto`."""
        is_stored = request.WhichOneof("subject") != "rule"
        rule = identifier("rule_id", request.rule_id) if is_stored else read_rule(request.rule)
        trial = await self._tester.test(rule, identifier("lead_id", request.lead_id))
        return pb.TestAutomationRuleResponse(
            would_fire=trial.would_fire,
            checks=[write_check(each) for each in trial.outcomes],
            warnings=trial.warnings,
            deliveries=[write_delivery(each, with_body=True) for each in trial.deliveries],
            last_date_bucket=trial.last_date_bucket,
        )

    async def PreviewAutomationRules(
        self, request: pb.PreviewAutomationRulesRequest, context: Context
    ) -> pb.PreviewAutomationRulesResponse:
        """See `automation.proto`."""
        identifiers("changes", [each.lead_id for each in request.changes], limit=MAX_CHANGES)
        counts = await self._tester.preview([read_hypothetical(each) for each in request.changes])
        rules = [pb.RulePreview(rule_id=rule_id, lead_count=count) for rule_id, count in counts.items()]
        return pb.PreviewAutomationRulesResponse(rules=rules)

    async def GetAutomationExecution(
        self, request: pb.GetAutomationExecutionRequest, context: Context
    ) -> pb.GetAutomationExecutionResponse:
        """See `automation.proto`."""
        execution = await self._executions.get(identifier("execution_id", request.execution_id))
        return pb.GetAutomationExecutionResponse(execution=write_execution(execution, with_bodies=True))

    async def ListAutomationExecutions(
        self, request: pb.ListAutomationExecutionsRequest, context: Context
    ) -> pb.ListAutomationExecutionsResponse:
        """See `automation.proto`."""
        query, page = _query("ListAutomationExecutions", request)
        found = await self._listed.page(query)
        executions, token = page.cut(found, lambda each: (each.record_time, each.execution_id))
        return pb.ListAutomationExecutionsResponse(
            executions=[write_execution(each, with_bodies=False) for each in executions], next_page_token=token
        )

    async def RetryAutomationExecution(
        self, request: pb.RetryAutomationExecutionRequest, context: Context
    ) -> pb.RetryAutomationExecutionResponse:
        """See `automation.proto`."""
        execution = await self._tester.retry(identifier("execution_id", request.execution_id))
        return pb.RetryAutomationExecutionResponse(execution=write_execution(execution, with_bodies=True))

    async def RetryAutomationExecutions(
        self, request: pb.RetryAutomationExecutionsRequest, context: Context
    ) -> pb.RetryAutomationExecutionsResponse:
        """See `automation.proto`."""
        if request.state not in RETRIED:
            raise InvalidArgument("state", "must be failed, cancelled or pending")
        query, page = _query("RetryAutomationExecutions", request)
        found = await self._executions.page(query)
        executions, token = page.cut(found, lambda each: (each.record_time, each.execution_id))
        retried = await self._tester.retry_all(executions)
        return pb.RetryAutomationExecutionsResponse(
            retried_count=retried, skipped_count=len(executions) - retried, next_page_token=token
        )

    async def GetAutomationBacklog(
        self, request: pb.GetAutomationBacklogRequest, context: Context
    ) -> pb.GetAutomationBacklogResponse:
        """See `automation.proto`."""
        return write_backlog(await self._read_backlog())

    async def HoldDeliveries(self, request: pb.HoldDeliveriesRequest, context: Context) -> pb.HoldDeliveriesResponse:
        """See `automation.proto`."""
        hold = await self._holding.hold(
            identifier("reason", request.reason, limit=MAX_REASON), identifier("actor", callers.actor(request.actor))
        )
        return pb.HoldDeliveriesResponse(hold=write_hold(hold))

    async def ReleaseDeliveries(
        self, request: pb.ReleaseDeliveriesRequest, context: Context
    ) -> pb.ReleaseDeliveriesResponse:
        """See `automation.proto`."""
        cancelled, is_released = await self._holding.release(
            optional_time("cancel_recorded_before", request), identifier("actor", callers.actor(request.actor))
        )
        return pb.ReleaseDeliveriesResponse(cancelled_count=cancelled, released=is_released)

    async def ListParkedChanges(
        self, request: pb.ListParkedChangesRequest, context: Context
    ) -> pb.ListParkedChangesResponse:
        """See `automation.proto`."""
        page = asked_page(request, ("ListParkedChanges",), datetime, str, default=DEFAULT_PAGE, limit=MAX_PAGE)
        found = await self._parking.page(page.after, page.limit)
        parked, token = page.cut(found, lambda each: (each.park_time, each.row_id))
        return pb.ListParkedChangesResponse(parked_changes=map(write_parked, parked), next_page_token=token)

    async def RetryParkedChanges(
        self, request: pb.RetryParkedChangesRequest, context: Context
    ) -> pb.RetryParkedChangesResponse:
        """See `automation.proto`."""
        change_ids = ids_or_all("change_ids", request.change_ids, every=request.all, limit=MAX_CHANGES)
        return pb.RetryParkedChangesResponse(retried_count=await self._parking.retry(change_ids))

    async def DiscardParkedChanges(
        self, request: pb.DiscardParkedChangesRequest, context: Context
    ) -> pb.DiscardParkedChangesResponse:
        """See `automation.proto`."""
        count = await self._parking.discard(
            ids_or_all("change_ids", request.change_ids, every=request.all, limit=MAX_CHANGES),
            identifier("reason", request.reason, limit=MAX_REASON),
            identifier("actor", callers.actor(request.actor)),
        )
        return pb.DiscardParkedChangesResponse(discarded_count=count)


def _query(
    method: str, request: pb.ListAutomationExecutionsRequest | pb.RetryAutomationExecutionsRequest
) -> tuple[ExecutionQuery, Page]:
    lead_id, rule_id = optional_text("lead_id", request.lead_id), optional_text("rule_id", request.rule_id)
    from_time, until_time = optional_time("from_time", request), optional_time("until_time", request)
    date_bucket = _date_bucket(request.date_bucket)
    bounds = [each.isoformat() if each else "" for each in (from_time, until_time)]
    arguments = (method, lead_id, rule_id, date_bucket, int(request.state), *bounds)
    page = asked_page(request, arguments, datetime, str, default=DEFAULT_PAGE, limit=MAX_PAGE)
    query = ExecutionQuery(
        limit=page.limit,
        lead_id=lead_id,
        rule_id=rule_id,
        date_bucket=date_bucket,
        state=_state(request.state),
        from_time=from_time,
        until_time=until_time,
        after=page.after,
    )
    return query, page


def _state(state: pb.ExecutionState) -> ExecutionState | None:
    if state != pb.EXECUTION_STATE_UNSPECIFIED and state not in STATES:
        raise InvalidArgument("state", f"{state} is not a known state")
    return STATES.get(state)


def _fields(mask: FieldMask) -> tuple[str, ...]:
    for path in mask.paths:
        if path not in _FIELDS:
            raise InvalidArgument("update_mask", f"{path!r} is not one of {', '.join(_FIELDS)}")
    return tuple(mask.paths) or _FIELDS


def _date_bucket(text: str) -> str:
    if text:
        try:
            date.fromisoformat(text if _DATE.fullmatch(text) else "")
        except ValueError:
            raise InvalidArgument("date_bucket", f"{text[:20]!r} is not a date, must be YYYY-MM-DD") from None
    return text
