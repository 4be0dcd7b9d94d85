"""`leadscore executions …`: what automation rules have fired for."""

import sys
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any

import typer
from leadscore.automation.v1 import automation_pb2 as pb

from cli.automation import views
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import AsJson, BasePort, Limit, span_begin, span_end
from cli.terminal.output import bar, print_json, say, show
from cli.terminal.pages import MAX_ON_A_PAGE, in_pages

STATES = ("recorded", "pending", "delivered", "failed", "cancelled")
RETRIED = ("failed", "cancelled", "pending")
ExecutionId = Annotated[str, typer.Argument(help="The execution's id.")]
LeadId = Annotated[str, typer.Option("--lead", help="Only executions for this lead.")]
RuleId = Annotated[str, typer.Option("--rule", help="Only executions of this rule.")]
Date = Annotated[str, typer.Option("--date", help="Only executions of this date, YYYY-MM-DD.")]
State = Annotated[str, typer.Option(help=f"Only executions in this state: {', '.join(STATES)}.")]
Since = Annotated[str, typer.Option(help="Only executions recorded on or after this date or time.")]
Until = Annotated[str, typer.Option(help="Only executions recorded through this date, or before this time.")]

app = typer.Typer(help="List, show and retry executions of automation rules.", no_args_is_help=True)


@app.command("list")
def list_executions(
    lead_id: LeadId = "",
    rule_id: RuleId = "",
    date_bucket: Date = "",
    state: State = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 50,
    every: Annotated[bool, typer.Option("--all", help="Print all of them, whatever --limit is.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List executions of automation rules, newest first."""
    request = execution_list(lead_id, rule_id, date_bucket, state, since, until)
    printed = 0
    with Connection(base_port).automation() as stub:
        pages = in_pages(stub.ListAutomationExecutions, request, "executions", sys.maxsize if every else limit)
        # Pages of JSON are printed as they come, because there can be any number of them.
        for found in pages if as_json else [list(chain.from_iterable(pages))]:
            show(views.executions_table(found), *found, as_json=as_json)
            printed += len(found)
    if request.page_token:
        say(f"there are more than these {printed:,}; --all prints all of them")


def execution_list(
    lead_id: str, rule_id: str, date_bucket: str, state: str, since: str, until: str
) -> pb.ListAutomationExecutionsRequest:
    """Returns the request for the executions that the options of a command select; an empty string means all.

    Raises:
        CommandError: The state, or the start or the end of the time span, is invalid.
    """
    filters = _filters(lead_id, rule_id, date_bucket, since, until)
    return pb.ListAutomationExecutionsRequest(**filters, state=_state(state, STATES) if state else None)


@app.command("show")
def show_execution(execution_id: ExecutionId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show an execution: why the rule fired, what was sent, and the result of each attempt."""
    with Connection(base_port).automation() as stub:
        request = pb.GetAutomationExecutionRequest(execution_id=execution_id)
        execution = stub.GetAutomationExecution(request, timeout=CALL_SECONDS).execution
    show(views.execution_card(execution), execution, as_json=as_json)


@app.command("retry")
def retry_executions(
    execution_id: Annotated[str, typer.Argument(help="The execution's id; or give --state.")] = "",
    lead_id: LeadId = "",
    rule_id: RuleId = "",
    date_bucket: Date = "",
    state: Annotated[str, typer.Option(help=f"Retry all executions in this state: {', '.join(RETRIED)}.")] = "",
    since: Since = "",
    until: Until = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Deliver everything that is pending, failed or cancelled now: in one execution, or in all that the options select.

    For example, after a receiver was down: `leadscore executions retry --rule call-big-ones --state failed --since
    2026-11-20`.
    """
    filters = _filters(lead_id, rule_id, date_bucket, since, until)
    if bool(execution_id) == bool(state) or (execution_id and filters):
        raise CommandError("give either an execution's id, or --state and further options that select executions")
    if execution_id:
        _retry_one(execution_id, base_port, as_json=as_json)
    else:
        request = pb.RetryAutomationExecutionsRequest(**filters, state=_state(state, RETRIED))
        _retry_all(request, base_port, as_json=as_json)


def _retry_one(execution_id: str, base_port: int, *, as_json: bool) -> None:
    with Connection(base_port).automation() as stub:
        request = pb.RetryAutomationExecutionRequest(execution_id=execution_id)
        execution = stub.RetryAutomationExecution(request, timeout=CALL_SECONDS).execution
    show(views.execution_card(execution), execution, as_json=as_json)


def _retry_all(request: pb.RetryAutomationExecutionsRequest, base_port: int, *, as_json: bool) -> None:
    retried, skipped, request.page_size = 0, 0, MAX_ON_A_PAGE
    with Connection(base_port).automation() as stub, bar("retrying") as progress:
        while True:
            answer = stub.RetryAutomationExecutions(request, timeout=CALL_SECONDS)
            retried, skipped = retried + answer.retried_count, skipped + answer.skipped_count
            progress.update(retried + skipped)
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
    if as_json:
        print_json({"retried_count": retried, "skipped_count": skipped})
        return
    left_out = f"; {skipped:,} had nothing to retry, or their rule is disabled" if skipped else ""
    show(f"{counted(retried, 'execution')} will be delivered again{left_out}", as_json=False)


def _filters(lead_id: str, rule_id: str, date_bucket: str, since: str, until: str) -> dict[str, Any]:
    """Returns the fields of a request that select executions."""
    filters = {
        "lead_id": lead_id,
        "rule_id": rule_id,
        "date_bucket": date_bucket,
        "from_time": span_begin(since) if since else None,
        "until_time": span_end(until) if until else None,
    }
    return {name: value for name, value in filters.items() if value}


def _state(state: str, known: Sequence[str]) -> str:
    if state not in known:
        raise CommandError(f"--state is {state!r}, must be one of {', '.join(known)}")
    return f"EXECUTION_STATE_{state.upper()}"
