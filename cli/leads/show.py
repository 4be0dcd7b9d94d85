"""Views of leads: the card, the history, the list, the summary, and a change on one line."""

from collections.abc import Iterable, Sequence
from datetime import date

from google.protobuf.json_format import MessageToDict
from leadscore.intelligence.v1 import intelligence_pb2 as intelligence
from leadscore.scoring.v1 import scoring_pb2 as scoring
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from cli.leads.effects import moving_rules
from cli.leads.probability import basis_of, probability_of
from cli.terminal import pieces
from cli.terminal.counts import counted
from shared import wire

SPARK_CELLS = 60

_WITH_POINTS = {scoring.ENTRY_KIND_EVENT, scoring.ENTRY_KIND_ADJUSTMENT}
_SPARKS = "▁▂▃▄▅▆▇█"


def card(
    insight: intelligence.LeadIntelligence,
    entries: Sequence[scoring.ScoreEntry],
    effects: Sequence[intelligence.EventEffect] = (),
) -> RenderableType:
    """Returns the card of a lead.

    `entries` are its history, oldest first, and `effects` what an event of each rule would do; none leaves them out.
    """
    facts = pieces.grid()
    facts.add_row("score", Text(f"{insight.score:,}", "bold"))
    facts.add_row("stage", pieces.styled(insight.stage))
    if insight.HasField("conversion_probability"):
        found = insight.conversion_probability
        facts.add_row("converts", Text.assemble(probability_of(found), (f" ({basis_of(found)})", "dim")))
    facts.add_row("velocity", str(insight.velocity))
    facts.add_row("risk", pieces.styled(_risk(insight.risk)))
    facts.add_row("next action", pieces.plain(insight.next_action, "bold"))
    facts.add_row("churned", Text("yes", "red") if insight.churned else "no")
    if insight.HasField("fit"):
        facts.add_row(
            "fit", f"{insight.fit.grade} ({counted(insight.fit.points, 'point')}), rated {insight.fit.rating}"
        )
    facts.add_row("events", f"{insight.event_count:,}, the last {pieces.moment(insight.last_event_time)}")
    if entries:
        facts.add_row("over time", _spark([entry.score_after for entry in entries]))
    sections: list[RenderableType] = [facts, pieces.heading("why"), _why(insight.thresholds)]
    if insight.top_rules:
        sections += [
            pieces.heading("points by rule"),
            pieces.bars((rule.rule_id, rule.points) for rule in insight.top_rules),
        ]
    sections += moving_rules(insight, effects)
    if insight.attributes.fields:
        sections += [pieces.heading("attributes"), _attributes(MessageToDict(insight.attributes))]
    note = f"as of {pieces.moment(insight.as_of_time)}, model {insight.model_version}"
    return Panel(Group(*sections), title=pieces.plain(insight.lead_id, "bold"), subtitle=note, expand=False)


def history_table(entries: Iterable[scoring.ScoreEntry]) -> RenderableType:
    """Returns the history entries of one lead as a table. Corrections show their reason and actor."""
    columns = ("#", "event time (UTC)", "what", "rule", "points", "delta", "score", "stage")
    right = {"#", "points", "delta", "score"}
    table = pieces.table(*columns, right=right, optional=["points", "rule"], unbroken={"event time (UTC)"})
    for entry in entries:
        table.add_row(
            str(entry.sequence),
            pieces.minute(entry.event_time),
            _what(entry),
            pieces.plain(entry.rule_id) or "–",
            f"{entry.points:+,}" if entry.kind in _WITH_POINTS else "",
            pieces.signed(entry.delta),
            f"{entry.score_after:,}",
            pieces.moved(entry.stage_before, entry.stage_after),
        )
    return table


def top_table(insights: Iterable[intelligence.LeadIntelligence]) -> RenderableType:
    """Returns a table with one row per lead."""
    columns = ("lead", "score", "stage", "velocity", "risk", "next action", "last event (UTC)")
    optional, unbroken = ["last event (UTC)", "velocity"], {"last event (UTC)"}
    table = pieces.table(*columns, right={"score", "velocity"}, optional=optional, unbroken=unbroken)
    for insight in insights:
        table.add_row(
            pieces.plain(insight.lead_id),
            f"{insight.score:,}",
            pieces.styled(insight.stage),
            str(insight.velocity),
            pieces.styled(_risk(insight.risk)),
            pieces.plain(insight.next_action),
            pieces.minute(insight.last_event_time),
        )
    return table


def summary_view(summary: intelligence.GetPipelineSummaryResponse) -> RenderableType:
    """Returns the counts of all leads as bars."""
    leads = counted(summary.lead_count, "lead")
    head = Text.assemble((leads, "bold"), ", ", (f"{summary.churned_count:,}", "bold"))
    head.append(f" churned, as of {pieces.moment(summary.as_of_time)}, model {summary.model_version}\n")
    parts = {
        "stage": [(count.name, count.lead_count) for count in summary.stages],
        "risk": [(count.name, count.lead_count) for count in summary.risks],
        "next action": [(count.name, count.lead_count) for count in summary.next_actions],
        "score": [(f"{each.minimum_score:,} to {each.maximum_score:,}", each.lead_count) for each in summary.scores],
    }
    return Group(head, Columns([Panel(pieces.bars(rows), title=f"by {name}") for name, rows in parts.items()]))


def change_line(answer: intelligence.WatchLeadsResponse) -> RenderableType:
    """Returns a committed change of a lead as one line."""
    change, insight = answer.change, answer.lead_intelligence
    return Text.assemble(
        (f"{wire.to_time(change.record_time):%H:%M:%S} ", "dim"),
        pieces.plain(change.lead_id, "bold"),
        f" {change.score_before:,} → {change.score_after:,} ",
        pieces.moved(change.stage_before, change.stage_after),
        pieces.plain(f" {', '.join(change.event_types) or 'no event'}", "dim"),
        f" · velocity {insight.velocity}, risk ",
        pieces.styled(_risk(insight.risk)),
        ", ",
        pieces.plain(insight.next_action),
    )


def _what(entry: scoring.ScoreEntry) -> Text:
    match entry.kind:
        case scoring.ENTRY_KIND_EVENT:
            mark = Text(" (historical)", "dim") if entry.historical else Text()
            return Text.assemble(pieces.plain(entry.event_type), mark)
        case scoring.ENTRY_KIND_DECAY:
            return Text("\n".join(filter(None, ("decay", _ticks(entry)))), "dim")
        case scoring.ENTRY_KIND_RECALCULATION:
            return Text("recalculation\nof what followed late events", "dim")
        case scoring.ENTRY_KIND_MODEL:
            return Text(f"model {entry.model_version}", "magenta")
        case _:
            kind = scoring.EntryKind.Name(entry.kind).removeprefix("ENTRY_KIND_").lower().replace("_", " ")
            taken = pieces.plain(f" of {entry.event_type}" if entry.event_type else "")
            return Text.assemble((kind, "magenta"), taken, "\n", pieces.plain(f"{entry.reason} ({entry.actor})", "dim"))


def _ticks(entry: scoring.ScoreEntry) -> str:
    """Returns the ticks of a DECAY entry, such as `3 ticks, 10–12 March`; years only if they differ."""
    if not entry.tick_count:
        return ""
    first, last = date.fromisoformat(entry.first_tick_date), date.fromisoformat(entry.last_tick_date)
    if first == last:
        days = f"{last.day} {last:%B}"
    elif (first.year, first.month) == (last.year, last.month):
        days = f"{first.day}–{last.day} {last:%B}"
    elif first.year == last.year:
        days = f"{first.day} {first:%B} – {last.day} {last:%B}"
    else:
        days = f"{first.day} {first:%B %Y} – {last.day} {last:%B %Y}"
    return f"{counted(entry.tick_count, 'tick')}, {days}"


def _why(thresholds: Iterable[intelligence.FiredThreshold]) -> RenderableType:
    grid = pieces.grid()
    for threshold in thresholds:
        grid.add_row(threshold.decided.replace("_", " "), pieces.plain(threshold.explanation))
    return grid


def _attributes(attributes: dict[str, object]) -> RenderableType:
    grid = pieces.grid()
    for name, value in sorted(attributes.items()):
        # Numbers in a Struct are floats, but people write 250, not 250.0.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        grid.add_row(pieces.plain(name), pieces.plain(str(whole)))
    return grid


def _spark(scores: Sequence[int]) -> Text:
    """Draws the score after each entry, or after every n-th entry if there are many."""
    cells = min(SPARK_CELLS, len(scores))
    picked = [scores[(index + 1) * len(scores) // cells - 1] for index in range(cells)]
    low, high = min(picked), max(picked)
    step = (high - low) / (len(_SPARKS) - 1) or 1
    drawn = "".join(_SPARKS[round((score - low) / step)] for score in picked)
    span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return Text.assemble((drawn, "cyan"), f" {span} in {counted(len(scores), 'entry', 'entries')}")


def _risk(risk: "intelligence.Risk") -> str:
    return intelligence.Risk.Name(risk).removeprefix("RISK_").lower()
