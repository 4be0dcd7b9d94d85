"""`leadscore executions …`: what automation rules have fired for."""

from typing import Annotated

import typer
from leadscore.automation.v1 import automation_pb2 as pb

from cli.automation import views
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.options import AsJson, BasePort, Limit, span_begin, span_end
from cli.terminal.output import show
from cli.terminal.pages import listed

STATES = ("recorded", "pending", "delivered", "failed", "cancelled")
RuleId = Annotated[str, typer.Option("--rule", help="Only executions of this rule.")]
Date = Annotated[str, typer.Option("--date", help="Only executions of this date, YYYY-MM-DD.")]
State = Annotated[str, typer.Option(help=f"Only executions in this state: {', '.join(STATES)}.")]
Since = Annotated[str, typer.Option(help="Only executions recorded on or after this date or time.")]
Until = Annotated[str, typer.Option(help="Only executions recorded through this date, or before this time.")]
ExecutionId = Annotated[str, typer.Argument(help="The execution's id.")]

app = typer.Typer(help="List, show and retry executions of automation rules.", no_args_is_help=True)


@app.command("list")
def list_executions(
    lead_id: Annotated[str, typer.Option("--lead", help="Only executions for this lead.")] = "",
    rule_id: RuleId = "",
    date_bucket: Date = "",
    state: State = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 50,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List executions of automation rules, newest first."""
    request = execution_list(lead_id, rule_id, date_bucket, state, since, until)
    with Connection(base_port).automation() as stub:
        found = listed(stub.ListAutomationExecutions, request, "executions", limit)
    show(views.executions_table(found), *found, as_json=as_json)


def execution_list(
    lead_id: str, rule_id: str, date_bucket: str, state: str, since: str, until: str
) -> pb.ListAutomationExecutionsRequest:
    """Returns the request for the executions that the options of a command name; an empty text means all.

    Raises:
        CommandError: The state, or the start or the end of the time span, is invalid.
    """
    if state and state not in STATES:
        raise CommandError(f"--state is {state!r}, must be one of {', '.join(STATES)}")
    return pb.ListAutomationExecutionsRequest(
        lead_id=lead_id,
        rule_id=rule_id,
        date_bucket=date_bucket,
        state=f"EXECUTION_STATE_{state.upper() or 'UNSPECIFIED'}",
        from_time=span_begin(since) if since else None,
        until_time=span_end(until) if until else None,
    )


@app.command("show")
def show_execution(execution_id: ExecutionId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show an execution: why the rule fired, what was sent, and the result of each attempt."""
    with Connection(base_port).automation() as stub:
        request = pb.GetAutomationExecutionRequest(execution_id=execution_id)
        execution = stub.GetAutomationExecution(request, timeout=CALL_SECONDS).execution
    show(views.execution_card(execution), execution, as_json=as_json)


@app.command("retry")
def retry_execution(execution_id: ExecutionId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Deliver everything that is pending, failed or cancelled in an execution now."""
    with Connection(base_port).automation() as stub:
        request = pb.RetryAutomationExecutionRequest(execution_id=execution_id)
        execution = stub.RetryAutomationExecution(request, timeout=CALL_SECONDS).execution
    show(views.execution_card(execution), execution, as_json=as_json)
