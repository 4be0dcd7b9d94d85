"""`leadscore rules …`: automation rules, from a file to the service and back."""

from collections.abc import Iterable
from typing import Annotated

import grpc
import typer
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub

from cli.automation import views
from cli.automation.rule_files import MAX_BYTES, WrittenRule, read_rules, to_text
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection, violations_of
from cli.terminal.files import flaw_lines, read_file
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import print_json, say, show, to_json
from cli.terminal.pages import listed
from shared.message_files.messages import Flaw, Flawed

RuleId = Annotated[str, typer.Argument(help="The rule's id.")]
File = Annotated[str, typer.Option("--file", "-f", help="Rules as YAML or JSON, one or several; - for standard input.")]

app = typer.Typer(help="Add, test, show and change automation rules.", no_args_is_help=True)


@app.command("list")
def list_rules(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """List the automation rules."""
    with Connection(base_port).automation() as stub:
        found = listed(stub.ListAutomationRules, pb.ListAutomationRulesRequest(), "rules")
    show(views.rules_table(found), *found, as_json=as_json)


@app.command("show")
def show_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Print a rule as YAML that `rules add` accepts, or as JSON. Secrets are not shown."""
    with Connection(base_port).automation() as stub:
        request = pb.GetAutomationRuleRequest(rule_id=rule_id)
        rule = stub.GetAutomationRule(request, timeout=CALL_SECONDS).rule
    if as_json:
        print_json(to_json(rule))
    else:
        typer.echo(to_text(rule), nl=False)


@app.command("add")
def add_rules(
    file: File,
    replace: Annotated[bool, typer.Option("--replace", help="Replace rules that exist already.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Create the rules of a file. If any of them is refused, none is created.

    docs/examples/rules.yaml shows the format. The JSON form of AutomationRule in automation.proto is accepted, too.
    """
    rules = _read(file)
    with Connection(base_port).automation() as stub:
        flaws = [flaw for each in rules for flaw in _validate(stub, each, replace=replace)]
        if flaws:
            raise CommandError(f"{file}: no rule was added", flaw_lines(flaws))
        for each in rules:
            _store(stub, each.rule, replace=replace, as_json=as_json)


@app.command("test")
def try_rule(
    lead_id: Annotated[str, typer.Option("--lead", help="The lead.")],
    rule_id: Annotated[str, typer.Argument(help="The rule's id; or give --file.")] = "",
    file: Annotated[str, typer.Option("--file", "-f", help="Rules as YAML or JSON; they need not be stored.")] = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show what a rule would do for a lead as it is now, and why. Nothing is sent.

    The exit status is 1 if a rule would not fire.
    """
    if bool(rule_id) == bool(file):
        raise CommandError("give either a rule's id or --file")
    subjects = [each.rule for each in _read(file)] if file else [None]
    would_fire = True
    with Connection(base_port).automation() as stub:
        for rule in subjects:
            request = pb.TestAutomationRuleRequest(lead_id=lead_id, rule_id=rule_id or None, rule=rule)
            answer = stub.TestAutomationRule(request, timeout=CALL_SECONDS)
            show(views.rule_test(answer), answer, as_json=as_json)
            would_fire &= answer.would_fire
    if not would_fire:
        raise typer.Exit(1)


@app.command("enable")
def enable_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Let a rule fire from now on."""
    _set_enabled(rule_id, base_port, enabled=True, as_json=as_json)


@app.command("disable")
def disable_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Stop a rule from firing, and cancel its pending deliveries."""
    _set_enabled(rule_id, base_port, enabled=False, as_json=as_json)


@app.command("delete")
def delete_rule(rule_id: RuleId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Delete a rule and cancel its pending deliveries. Its executions stay readable."""
    with Connection(base_port).automation() as stub:
        stub.DeleteAutomationRule(pb.DeleteAutomationRuleRequest(rule_id=rule_id), timeout=CALL_SECONDS)
    if as_json:
        print_json({"deleted_rule_id": rule_id})
    else:
        say(f"deleted: {rule_id}")


def _read(file: str) -> list[WrittenRule]:
    try:
        return read_rules(read_file(file, MAX_BYTES))
    except Flawed as flawed:
        raise CommandError(f"{file} is not a rule file", flaw_lines(flawed.flaws)) from None


def _validate(stub: AutomationServiceStub, written: WrittenRule, *, replace: bool) -> list[Flaw]:
    """Returns why the service would refuse a rule of a file. Any other error is raised."""
    try:
        _send(stub, written.rule, replace=replace, validate_only=True)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.ALREADY_EXISTS:
            return [Flaw(written.where("rule_id"), f"{written.rule.rule_id!r} exists already; --replace replaces it")]
        violations = violations_of(error)
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT or not violations:
            raise
        return [Flaw(written.where(field.removeprefix("rule.")), sentence) for field, sentence in violations]
    return []


def _store(stub: AutomationServiceStub, rule: pb.AutomationRule, *, replace: bool, as_json: bool) -> None:
    what, answer = _send(stub, rule, replace=replace)
    _report_change(what, answer.rule, answer.warnings, as_json=as_json)


def _send(
    stub: AutomationServiceStub, rule: pb.AutomationRule, *, replace: bool, validate_only: bool = False
) -> tuple[str, pb.CreateAutomationRuleResponse | pb.UpdateAutomationRuleResponse]:
    """Creates a rule, or replaces it, and returns which of the two was done, and the answer."""
    try:
        create = pb.CreateAutomationRuleRequest(rule=rule, validate_only=validate_only)
        return "created", stub.CreateAutomationRule(create, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        # A rule without its secrets can only replace a stored one, and a new rule must have them.
        if not replace or error.code() not in (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT):
            raise
        refused = error
    try:
        update = pb.UpdateAutomationRuleRequest(rule=rule, validate_only=validate_only)
        return "replaced", stub.UpdateAutomationRule(update, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        raise (refused if error.code() is grpc.StatusCode.NOT_FOUND else error) from None


def _set_enabled(rule_id: str, base_port: int, *, enabled: bool, as_json: bool) -> None:
    request = pb.UpdateAutomationRuleRequest(rule=pb.AutomationRule(rule_id=rule_id, enabled=enabled))
    request.update_mask.paths.append("enabled")
    with Connection(base_port).automation() as stub:
        answer = stub.UpdateAutomationRule(request, timeout=CALL_SECONDS)
    _report_change("enabled" if enabled else "disabled", answer.rule, answer.warnings, as_json=as_json)


def _report_change(what: str, rule: pb.AutomationRule, warnings: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"rule": to_json(rule), "warnings": list(warnings)})
        return
    say(f"{what}: {rule.rule_id}" if rule.enabled or what == "disabled" else f"{what}: {rule.rule_id} (disabled)")
    for warning in warnings:
        say(f"  warning: {warning}")
