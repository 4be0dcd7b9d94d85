"""Views of automations: rules, test results and executions."""

from collections.abc import Iterable, Iterator

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Value
from leadscore.automation.v1 import automation_pb2 as pb
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from cli.terminal import pieces
from cli.terminal.counts import counted
from cli.terminal.pieces import heading, minute, moment, moved, plain, styled

BODY_CHARACTERS = 4_000
"""Maximum number of characters of a body that are shown."""


def rules_table(rules: Iterable[pb.AutomationRule]) -> RenderableType:
    """Returns a table with one row per rule."""
    columns = ("rule", "name", "enabled", "fires when", "then", "changed (UTC)")
    table = pieces.table(*columns, optional=["changed (UTC)", "name"], unbroken={"changed (UTC)"})
    for rule in rules:
        enabled = Text("yes", "green") if rule.enabled else plain(f"no {rule.disable_reason}".strip(), "dim")
        per = "per event" if rule.per == pb.PER_EVENT else ""
        when = "; ".join(filter(None, (_trigger(rule.trigger), ", ".join(_conditions(rule.conditions)), per)))
        then = ", ".join(map(_action, rule.actions)) or "only recorded"
        changed = minute(rule.update_time)
        table.add_row(plain(rule.rule_id), plain(rule.display_name), enabled, plain(when), plain(then), changed)
    return table


def executions_table(executions: Iterable[pb.AutomationExecution]) -> RenderableType:
    """Returns a table with one row per execution."""
    columns = ("date", "lead", "rule", "state", "score", "stage", "next action", "recorded (UTC)", "execution")
    optional = ["recorded (UTC)", "next action", "score", "stage"]
    table = pieces.table(*columns, right={"score"}, optional=optional, unbroken={"recorded (UTC)"})
    for execution in executions:
        table.add_row(
            execution.date_bucket,
            plain(execution.lead_id),
            plain(execution.rule_id),
            styled(_state(execution.state)),
            f"{execution.score:,}",
            moved(execution.stage_before, execution.stage_after),
            plain(execution.next_action),
            minute(execution.record_time),
            Text(execution.execution_id, "dim"),
        )
    return table


def execution_card(execution: pb.AutomationExecution) -> RenderableType:
    """Returns everything about one execution, with its deliveries and their attempts."""
    facts = pieces.grid()
    facts.add_row("lead", plain(execution.lead_id, "bold"))
    facts.add_row("rule", plain(execution.rule_id))
    facts.add_row("state", styled(_state(execution.state)))
    if execution.event_id:
        facts.add_row("event", plain(f"{execution.event_id} ({execution.event_type})"))
    facts.add_row("score", f"{execution.score:,}")
    facts.add_row("stage", moved(execution.stage_before, execution.stage_after))
    facts.add_row("recorded", f"{moment(execution.record_time)}, for {execution.date_bucket}")
    sections: list[RenderableType] = [facts, heading("why"), *(plain(sentence) for sentence in execution.why)]
    for delivery in execution.deliveries:
        sections += _delivery(delivery)
    return Panel(Group(*sections), title=Text(execution.execution_id, "bold"), expand=False)


def rule_test(answer: pb.TestAutomationRuleResponse) -> RenderableType:
    """Returns whether a rule would fire for a lead, the checks that decide it, and the deliveries."""
    checks = pieces.grid()
    for check in answer.checks:
        mark = Text("✓", "green") if check.holds else Text("✗", "red")
        checks.add_row(mark, plain(check.field), plain(check.explanation))
    verdict = Text("would fire", "bold green") if answer.would_fire else Text("would not fire", "bold red")
    sections: list[RenderableType] = [verdict, checks, *(plain(f"warning: {each}") for each in answer.warnings)]
    if answer.last_date_bucket:
        sections.append(Text(f"it last fired for this lead on {answer.last_date_bucket}"))
    for delivery in answer.deliveries:
        sections += _delivery(delivery)
    return Group(*sections)


def _delivery(delivery: pb.Delivery) -> Iterator[RenderableType]:
    yield heading(f"{delivery.receiver} {delivery.action_id} → {delivery.endpoint}")
    facts = pieces.grid()
    facts.add_row("state", styled(_state(delivery.state)))
    if delivery.HasField("next_attempt_time") and delivery.attempts:
        facts.add_row("next attempt", moment(delivery.next_attempt_time))
    for attempt in delivery.attempts:
        outcome = (
            f"{attempt.status or attempt.error} in {attempt.duration.ToMilliseconds()} ms {attempt.answer}".rstrip()
        )
        facts.add_row(moment(attempt.attempt_time), plain(outcome))
    yield facts
    if delivery.body:
        yield plain(delivery.body.decode(errors="replace").replace("\r\n", "\n")[:BODY_CHARACTERS], "dim", lines=True)


def _conditions(conditions: pb.Conditions) -> Iterator[str]:
    if conditions.stages:
        yield f"stage {' or '.join(conditions.stages)}"
    for name in ("score", "velocity"):
        for bound, sign in (("minimum", "≥"), ("maximum", "≤")):
            if conditions.HasField(f"{bound}_{name}"):
                yield f"{name} {sign} {getattr(conditions, f'{bound}_{name}')}"
    if conditions.risk != pb.RISK_UNSPECIFIED:
        yield f"risk {pb.Risk.Name(conditions.risk).removeprefix('RISK_').lower()}"
    if conditions.next_actions:
        yield f"next action {' or '.join(conditions.next_actions)}"
    if conditions.fit_grades:
        yield f"fit {' or '.join(conditions.fit_grades)}"
    for condition in conditions.attributes:
        operator = pb.Operator.Name(condition.operator).removeprefix("OPERATOR_").lower().replace("_", " ")
        yield f"{condition.attribute} {operator} {' or '.join(map(_value, condition.values))}".rstrip()


def _value(value: Value) -> str:
    return str(MessageToDict(value))


def _trigger(trigger: pb.Trigger) -> str:
    match trigger.WhichOneof("kind"):
        case "stage_entered":
            return f"enters {' or '.join(trigger.stage_entered.stages)}"
        case "stage_left":
            return f"leaves {' or '.join(trigger.stage_left.stages)}"
        case "score_crossed":
            crossed = trigger.score_crossed
            direction = pb.Direction.Name(crossed.direction).removeprefix("DIRECTION_").lower()
            return f"score crosses {crossed.threshold} {direction}"
        case "event_received":
            return f"event {trigger.event_received.event_type}"
        case "inactive":
            return f"no event for {counted(trigger.inactive.days, 'day')}"
        case _:
            return ""


def _action(action: pb.Action) -> str:
    receiver = action.WhichOneof("receiver") or "nobody"
    preset = pb.Preset.Name(action.preset).removeprefix("PRESET_").lower()
    return receiver if action.preset == pb.PRESET_UNSPECIFIED else f"{preset} by {receiver}"


def _state(state: "pb.ExecutionState") -> str:
    return pb.ExecutionState.Name(state).removeprefix("EXECUTION_STATE_").lower()
