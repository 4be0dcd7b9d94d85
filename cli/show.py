"""What people see: cards, tables and bars, made from the services' answers."""

from collections.abc import Iterable, Sequence

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from shared import wire
from shared.pb.automation.v1 import automation_pb2 as automation
from shared.pb.intelligence.v1 import intelligence_pb2 as intelligence
from shared.pb.scoring.v1 import scoring_pb2 as scoring

BAR_CELLS = 24
SPARK_CELLS = 60

_SPARKS = "▁▂▃▄▅▆▇█"
_STYLES = {"cold": "blue", "warm": "yellow", "hot": "red", "qualified": "bold green", "low": "green", "high": "red"}


def card(insight: intelligence.LeadIntelligence, entries: Sequence[scoring.ScoreEntry]) -> RenderableType:
    """Returns all that is known of a lead; `entries` are its history, oldest first."""
    facts = _grid()
    facts.add_row("score", Text(f"{insight.score:,}", "bold"))
    facts.add_row("stage", _styled(insight.stage))
    facts.add_row("velocity", str(insight.velocity))
    facts.add_row("risk", _styled(_risk(insight.risk)))
    facts.add_row("next action", _plain(insight.next_action, "bold"))
    facts.add_row("churned", Text("yes", "red") if insight.churned else "no")
    facts.add_row("events", f"{insight.event_count:,}, the last {_time(insight.last_event_time)}")
    facts.add_row("over time", _spark([entry.score_after for entry in entries]))
    sections: list[RenderableType] = [facts, _heading("why"), _why(insight.thresholds)]
    if insight.top_rules:
        sections += [_heading("points by rule"), _bars((rule.rule_id, rule.points) for rule in insight.top_rules)]
    if insight.attributes.fields:
        sections += [_heading("attributes"), _attributes(MessageToDict(insight.attributes))]
    note = f"as of {_time(insight.as_of_time)}, model {insight.model_version}"
    return Panel(Group(*sections), title=_plain(insight.lead_id, "bold"), subtitle=note, expand=False)


def history_table(entries: Iterable[scoring.ScoreEntry]) -> RenderableType:
    """Returns the entries of one lead, each with what it did to the score."""
    table = _table(
        "#", "event time", "what", "rule", "points", "delta", "score", "stage", right={"#", "points", "delta"}
    )
    for entry in entries:
        is_decay = entry.kind == scoring.ENTRY_KIND_DECAY
        moved = entry.stage_before != entry.stage_after
        table.add_row(
            str(entry.sequence),
            _time(entry.event_time),
            Text("decay", "dim") if is_decay else _plain(entry.event_type),
            _plain(entry.rule_id) or "–",
            "" if is_decay else f"{entry.points:+}",
            Text(f"{entry.delta:+}", "green" if entry.delta > 0 else "red" if entry.delta < 0 else "dim"),
            f"{entry.score_before:,} → {entry.score_after:,}",
            Text.assemble(_styled(entry.stage_before), " → ", _styled(entry.stage_after))
            if moved
            else _styled(entry.stage_after),
        )
    return table


def top_table(insights: Iterable[intelligence.LeadIntelligence]) -> RenderableType:
    """Returns a row per lead, with what to do about it."""
    table = _table(
        "lead", "score", "stage", "velocity", "risk", "next action", "last event", right={"score", "velocity"}
    )
    for insight in insights:
        table.add_row(
            _plain(insight.lead_id),
            f"{insight.score:,}",
            _styled(insight.stage),
            str(insight.velocity),
            _styled(_risk(insight.risk)),
            _plain(insight.next_action),
            _time(insight.last_event_time),
        )
    return table


def summary_view(summary: intelligence.GetPipelineSummaryResponse) -> RenderableType:
    """Returns the counts of all leads as bars."""
    head = Text.assemble((f"{summary.lead_count:,}", "bold"), " leads, ", (f"{summary.churned_count:,}", "bold"))
    head.append(f" churned, as of {_time(summary.as_of_time)}, model {summary.model_version}\n")
    parts = {
        "stage": [(count.name, count.lead_count) for count in summary.stages],
        "risk": [(count.name, count.lead_count) for count in summary.risks],
        "next action": [(count.name, count.lead_count) for count in summary.next_actions],
        "score": [(f"{each.minimum_score:,} to {each.maximum_score:,}", each.lead_count) for each in summary.scores],
    }
    return Group(head, Columns([Panel(_bars(rows), title=f"by {name}") for name, rows in parts.items()]))


def rules_table(rules: Iterable[automation.AutomationRule]) -> RenderableType:
    """Returns a row per automation rule."""
    table = _table("rule", "name", "enabled", "fires when", "changed")
    for rule in rules:
        enabled = Text("yes", "green") if rule.enabled else Text("no", "dim")
        name, conditions = _plain(rule.display_name), _plain(_conditions(rule.conditions))
        table.add_row(_plain(rule.rule_id), name, enabled, conditions, _time(rule.update_time))
    return table


def executions_table(executions: Iterable[automation.AutomationExecution]) -> RenderableType:
    """Returns a row per execution of an automation rule."""
    table = _table("date", "lead", "rule", "score", "stage", "next action", "recorded", right={"score"})
    for execution in executions:
        table.add_row(
            execution.date_bucket,
            _plain(execution.lead_id),
            _plain(execution.rule_id),
            f"{execution.score:,}",
            Text.assemble(_styled(execution.stage_before), " → ", _styled(execution.stage_after)),
            _plain(execution.next_action),
            _time(execution.record_time),
        )
    return table


def _conditions(conditions: automation.Conditions) -> str:
    said = [f"stage {' or '.join(conditions.stages)}"] if conditions.stages else []
    if conditions.HasField("minimum_score"):
        said.append(f"score ≥ {conditions.minimum_score}")
    if conditions.HasField("minimum_velocity"):
        said.append(f"velocity ≥ {conditions.minimum_velocity}")
    if conditions.risk != automation.RISK_UNSPECIFIED:
        said.append(f"risk {automation.Risk.Name(conditions.risk).removeprefix('RISK_').lower()}")
    return ", ".join(said)


def _why(thresholds: Iterable[intelligence.FiredThreshold]) -> RenderableType:
    grid = _grid()
    for threshold in thresholds:
        grid.add_row(threshold.decided.replace("_", " "), _plain(threshold.explanation))
    return grid


def _attributes(attributes: dict[str, object]) -> RenderableType:
    grid = _grid()
    for name, value in sorted(attributes.items()):
        # A structure's numbers are floats; people write 250, not 250.0.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        grid.add_row(_plain(name), _plain(str(whole)))
    return grid


def _bars(rows: Iterable[tuple[str, int]]) -> RenderableType:
    rows = list(rows)
    most = max((abs(count) for _, count in rows), default=0) or 1
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(justify="right")
    for name, count in rows:
        cells = -(-abs(count) * BAR_CELLS // most)
        style = "red" if count < 0 else _STYLES.get(name, "cyan")
        grid.add_row(_plain(name) or "unknown", f"{count:,}", Text("█" * cells, style))
    return grid


def _spark(scores: Sequence[int]) -> Text:
    """Draws the score after each entry, or after every n-th when there are many."""
    if not scores:
        return Text("–")
    cells = min(SPARK_CELLS, len(scores))
    picked = [scores[(index + 1) * len(scores) // cells - 1] for index in range(cells)]
    low, high = min(picked), max(picked)
    step = (high - low) / (len(_SPARKS) - 1) or 1
    drawn = "".join(_SPARKS[round((score - low) / step)] for score in picked)
    return Text.assemble((drawn, "cyan"), f" {low:,} to {high:,} in {len(scores):,} entries")


def _table(*columns: str, right: Iterable[str] = ()) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    return grid


def _heading(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _styled(name: str) -> Text:
    return Text(name, _STYLES.get(name, ""))


def _risk(risk: "intelligence.Risk") -> str:
    return intelligence.Risk.Name(risk).removeprefix("RISK_").lower()


def _plain(text: str, style: str = "") -> Text:
    """Returns a caller's text as it is: no markup, and nothing that a terminal would obey."""
    return Text("".join(character if character.isprintable() else "�" for character in text), style)


def _time(timestamp: Timestamp) -> str:
    if not timestamp.ByteSize():
        return "–"
    return f"{wire.to_time(timestamp):%Y-%m-%d %H:%M} UTC"
