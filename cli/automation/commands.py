"""`leadscore rules …` and `leadscore executions …`."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.protobuf.json_format import ParseDict, ParseError
from leadscore.automation.v1 import automation_pb2 as pb

from cli.automation import views as show
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.options import AsJson, BasePort, Limit, span_begin, span_end
from cli.terminal.output import print_json, say, to_json
from cli.terminal.output import show as print_view
from cli.terminal.pages import listed

STATES = ("recorded", "pending", "delivered", "failed", "cancelled")
RuleId = Annotated[str, typer.Argument(help="The rule's id.")]
ExecutionId = Annotated[str, typer.Argument(help="The execution's id.")]
File = Annotated[str, typer.Option("--file", "-f", help="JSON: a rule or a list of rules; - for standard input.")]

rules = typer.Typer(help="Automation rules.", no_args_is_help=True)
executions = typer.Typer(help="What automation rules have fired for.", no_args_is_help=True)


@rules.command("list")
def list_rules(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """List the automation rules."""
    with Connection(base_port).automation() as stub:
        found = listed(stub.ListAutomationRules, pb.ListAutomationRulesRequest(), "rules")
    print_view(show.rules_table(found), *found, as_json=as_json)


@rules.command("add")
def add_rules(
    file: File,
    replace: Annotated[bool, typer.Option("--replace", help="Replace rules that are there.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Create the rules of a file. Fields are those of AutomationRule in automation.proto."""
    with Connection(base_port).automation() as stub:
        for rule in _read_rules(file):
            try:
                request = pb.CreateAutomationRuleRequest(rule=rule)
                answer = stub.CreateAutomationRule(request, timeout=CALL_SECONDS)
                _tell_change("created", answer.rule, answer.warnings, as_json=as_json)
            except grpc.RpcError as error:
                if not replace or error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                    raise
                updated = stub.UpdateAutomationRule(pb.UpdateAutomationRuleRequest(rule=rule), timeout=CALL_SECONDS)
                _tell_change("replaced", updated.rule, updated.warnings, as_json=as_json)


@rules.command("test")
def try_rule(
    lead_id: Annotated[str, typer.Option("--lead", help="The lead.")],
    rule_id: Annotated[str, typer.Argument(help="The rule's id; or give --file.")] = "",
    file: Annotated[str, typer.Option("--file", "-f", help="JSON: a rule that need not be stored.")] = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Tell what a rule would do for a lead as it is now, and why; nothing is sent.

    The exit status is 1 when it would do nothing.
    """
    if bool(rule_id) == bool(file):
        raise CommandError("name either a rule or --file")
    subjects = _read_rules(file) if file else iter([None])
    would_fire = True
    with Connection(base_port).automation() as stub:
        for rule in subjects:
            request = pb.TestAutomationRuleRequest(lead_id=lead_id, rule_id=rule_id or None, rule=rule)
            answer = stub.TestAutomationRule(request, timeout=CALL_SECONDS)
            print_view(show.trial(answer), answer, as_json=as_json)
            would_fire &= answer.would_fire
    if not would_fire:
        raise typer.Exit(1)


@rules.command("enable")
def enable_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Let a rule fire from now on."""
    _set_enabled(rule_id, base_port, enabled=True, as_json=as_json)


@rules.command("disable")
def disable_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Let a rule fire no more, and cancel its pending deliveries."""
    _set_enabled(rule_id, base_port, enabled=False, as_json=as_json)


@rules.command("delete")
def delete_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Delete a rule and cancel its pending deliveries; its executions stay readable."""
    with Connection(base_port).automation() as stub:
        stub.DeleteAutomationRule(pb.DeleteAutomationRuleRequest(rule_id=rule_id), timeout=CALL_SECONDS)
    if as_json:
        print_json({"deleted_rule_id": rule_id})
    else:
        say(f"deleted: {rule_id}")


@executions.command("list")
def list_executions(
    lead_id: Annotated[str, typer.Option("--lead", help="Only this lead's.")] = "",
    rule_id: Annotated[str, typer.Option("--rule", help="Only this rule's.")] = "",
    date_bucket: Annotated[str, typer.Option("--date", help="Only this date's, YYYY-MM-DD.")] = "",
    state: Annotated[str, typer.Option(help=f"Only these: {', '.join(STATES)}.")] = "",
    since: Annotated[str, typer.Option(help="Only those recorded at this date or time, or later.")] = "",
    until: Annotated[str, typer.Option(help="Only those recorded up to this date, or before this time.")] = "",
    limit: Limit = 50,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List what automation rules have fired for, latest first."""
    if state and state not in STATES:
        raise CommandError(f"--state is {state!r}, must be one of {', '.join(STATES)}")
    request = pb.ListAutomationExecutionsRequest(
        lead_id=lead_id,
        rule_id=rule_id,
        date_bucket=date_bucket,
        state=f"EXECUTION_STATE_{state.upper() or 'UNSPECIFIED'}",
        from_time=span_begin(since) if since else None,
        until_time=span_end(until) if until else None,
    )
    with Connection(base_port).automation() as stub:
        found = listed(stub.ListAutomationExecutions, request, "executions", limit)
    print_view(show.executions_table(found), *found, as_json=as_json)


@executions.command("show")
def show_execution(execution_id: ExecutionId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show an execution: why it fired, what was sent, and what became of each attempt."""
    with Connection(base_port).automation() as stub:
        request = pb.GetAutomationExecutionRequest(execution_id=execution_id)
        execution = stub.GetAutomationExecution(request, timeout=CALL_SECONDS).execution
    print_view(show.execution_card(execution), execution, as_json=as_json)


@executions.command("retry")
def retry_execution(execution_id: ExecutionId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Deliver at once what is pending, failed or cancelled of an execution."""
    with Connection(base_port).automation() as stub:
        request = pb.RetryAutomationExecutionRequest(execution_id=execution_id)
        execution = stub.RetryAutomationExecution(request, timeout=CALL_SECONDS).execution
    print_view(show.execution_card(execution), execution, as_json=as_json)


def _set_enabled(rule_id: str, base_port: int, *, enabled: bool, as_json: bool) -> None:
    request = pb.UpdateAutomationRuleRequest(rule=pb.AutomationRule(rule_id=rule_id, enabled=enabled))
    request.update_mask.paths.append("enabled")
    with Connection(base_port).automation() as stub:
        answer = stub.UpdateAutomationRule(request, timeout=CALL_SECONDS)
    _tell_change("enabled" if enabled else "disabled", answer.rule, answer.warnings, as_json=as_json)


def _tell_change(what: str, rule: pb.AutomationRule, warnings: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"rule": to_json(rule), "warnings": list(warnings)})
        return
    say(f"{what}: {rule.rule_id}")
    for warning in warnings:
        say(f"  warning: {warning}")


def _read_rules(file: str) -> Iterator[pb.AutomationRule]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        found = json.loads(text)
        for rule in found if isinstance(found, list) else [found]:
            yield ParseDict(rule, pb.AutomationRule())
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, RecursionError, ParseError, AttributeError) as error:
        raise CommandError(f"{file} holds no rule: {error}") from None
