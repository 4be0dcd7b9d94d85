"""What people see: cards, tables and bars, made from the services' answers."""

from collections.abc import Iterable, Sequence

from google.protobuf.json_format import MessageToDict
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.pieces import STYLES, heading, make_grid, make_table, moved, plain, risk_name, styled, time_of
from shared import wire
from shared.pb.intelligence.v1 import intelligence_pb2 as intelligence
from shared.pb.scoring.v1 import scoring_pb2 as scoring

BAR_CELLS = 24
SPARK_CELLS = 60

_SPARKS = "▁▂▃▄▅▆▇█"


def card(insight: intelligence.LeadIntelligence, entries: Sequence[scoring.ScoreEntry]) -> RenderableType:
    """Returns all that is known of a lead; `entries` are its history, oldest first."""
    facts = make_grid()
    facts.add_row("score", Text(f"{insight.score:,}", "bold"))
    facts.add_row("stage", styled(insight.stage))
    facts.add_row("velocity", str(insight.velocity))
    facts.add_row("risk", styled(risk_name(insight.risk)))
    facts.add_row("next action", plain(insight.next_action, "bold"))
    facts.add_row("churned", Text("yes", "red") if insight.churned else "no")
    facts.add_row("events", f"{insight.event_count:,}, the last {time_of(insight.last_event_time)}")
    facts.add_row("over time", _spark([entry.score_after for entry in entries]))
    sections: list[RenderableType] = [facts, heading("why"), _why(insight.thresholds)]
    if insight.top_rules:
        sections += [heading("points by rule"), _bars((rule.rule_id, rule.points) for rule in insight.top_rules)]
    if insight.attributes.fields:
        sections += [heading("attributes"), _attributes(MessageToDict(insight.attributes))]
    note = f"as of {time_of(insight.as_of_time)}, model {insight.model_version}"
    return Panel(Group(*sections), title=plain(insight.lead_id, "bold"), subtitle=note, expand=False)


def history_table(entries: Iterable[scoring.ScoreEntry]) -> RenderableType:
    """Returns the entries of one lead, each with what it did to the score."""
    table = make_table(
        "#", "event time", "what", "rule", "points", "delta", "score", "stage", right={"#", "points", "delta"}
    )
    for entry in entries:
        is_decay = entry.kind == scoring.ENTRY_KIND_DECAY
        table.add_row(
            str(entry.sequence),
            time_of(entry.event_time),
            Text("decay", "dim") if is_decay else plain(entry.event_type),
            plain(entry.rule_id) or "–",
            "" if is_decay else f"{entry.points:+}",
            Text(f"{entry.delta:+}", "green" if entry.delta > 0 else "red" if entry.delta < 0 else "dim"),
            f"{entry.score_before:,} → {entry.score_after:,}",
            moved(entry.stage_before, entry.stage_after),
        )
    return table


def top_table(insights: Iterable[intelligence.LeadIntelligence]) -> RenderableType:
    """Returns a row per lead, with what to do about it."""
    table = make_table(
        "lead", "score", "stage", "velocity", "risk", "next action", "last event", right={"score", "velocity"}
    )
    for insight in insights:
        table.add_row(
            plain(insight.lead_id),
            f"{insight.score:,}",
            styled(insight.stage),
            str(insight.velocity),
            styled(risk_name(insight.risk)),
            plain(insight.next_action),
            time_of(insight.last_event_time),
        )
    return table


def summary_view(summary: intelligence.GetPipelineSummaryResponse) -> RenderableType:
    """Returns the counts of all leads as bars."""
    head = Text.assemble((f"{summary.lead_count:,}", "bold"), " leads, ", (f"{summary.churned_count:,}", "bold"))
    head.append(f" churned, as of {time_of(summary.as_of_time)}, model {summary.model_version}\n")
    parts = {
        "stage": [(count.name, count.lead_count) for count in summary.stages],
        "risk": [(count.name, count.lead_count) for count in summary.risks],
        "next action": [(count.name, count.lead_count) for count in summary.next_actions],
        "score": [(f"{each.minimum_score:,} to {each.maximum_score:,}", each.lead_count) for each in summary.scores],
    }
    return Group(head, Columns([Panel(_bars(rows), title=f"by {name}") for name, rows in parts.items()]))


def change_line(answer: intelligence.WatchLeadsResponse) -> RenderableType:
    """Returns one committed change of a lead on one line."""
    change, insight = answer.change, answer.lead_intelligence
    return Text.assemble(
        (f"{wire.to_time(change.record_time):%H:%M:%S} ", "dim"),
        plain(change.lead_id, "bold"),
        f" {change.score_before:,} → {change.score_after:,} ",
        moved(change.stage_before, change.stage_after),
        (f" {', '.join(change.event_types) or 'decay'}", "dim"),
        f" · velocity {insight.velocity}, risk ",
        styled(risk_name(insight.risk)),
        f", {insight.next_action}",
    )


def _why(thresholds: Iterable[intelligence.FiredThreshold]) -> RenderableType:
    grid = make_grid()
    for threshold in thresholds:
        grid.add_row(threshold.decided.replace("_", " "), plain(threshold.explanation))
    return grid


def _attributes(attributes: dict[str, object]) -> RenderableType:
    grid = make_grid()
    for name, value in sorted(attributes.items()):
        # A structure's numbers are floats; people write 250, not 250.0.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        grid.add_row(plain(name), plain(str(whole)))
    return grid


def _bars(rows: Iterable[tuple[str, int]]) -> RenderableType:
    rows = list(rows)
    most = max((abs(count) for _, count in rows), default=0) or 1
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(justify="right")
    for name, count in rows:
        cells = -(-abs(count) * BAR_CELLS // most)
        style = "red" if count < 0 else STYLES.get(name, "cyan")
        grid.add_row(plain(name) or "unknown", f"{count:,}", Text("█" * cells, style))
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
