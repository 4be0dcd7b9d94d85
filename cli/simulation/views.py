"""Views of the results of a simulation on the terminal."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from cli.model.views import mismatch_sentence
from cli.simulation.run import Matrix, Simulation, change_of, grade_matrix, stage_matrix
from cli.terminal import pieces
from cli.terminal.output import printable

_NOTHING = Text("·", "dim")


def simulation_view(simulation: Simulation) -> RenderableType:
    """Returns the results of a simulation as tables."""
    return Group(*_sections(simulation))


def name_of(model: pb.ScoringModel, source: str = "") -> str:
    """Returns the name of a model: its version, or else its source."""
    return f"version {model.version}" if model.version else source


def _sections(simulation: Simulation) -> Iterator[RenderableType]:
    summary = simulation.summary
    yield _head(simulation)
    matrices = [("stages: from row to column", stage_matrix(simulation)), ("fit grades", grade_matrix(simulation))]
    yield Columns([Panel(_matrix_table(matrix), title=title) for title, matrix in matrices if matrix])
    if summary.HasField("ranking_after"):
        yield pieces.heading("how well scores predict conversion")
        yield _ranking_head(summary.ranking_before, summary.ranking_after)
        yield _ranking_table("stage", summary.ranking_before.stages, summary.ranking_after.stages)
        yield _ranking_table("decile", summary.ranking_before.deciles, summary.ranking_after.deciles)
    yield pieces.heading("rules of the simulated model")
    yield _rules_table(summary.rules)
    if summary.type_mismatches:
        yield pieces.heading("comparisons of values of different types")
        yield from (Text(printable(mismatch_sentence(each)), "yellow") for each in summary.type_mismatches)
    if simulation.automations:
        yield pieces.heading("automation rules that would fire, by number of leads")
        yield pieces.bars(simulation.automations.most_common())
    if summary.unknown_event_types:
        yield pieces.heading("events that no rule matches")
        yield pieces.bars((each.event_type, each.event_count) for each in summary.unknown_event_types)
    if simulation.largest:
        yield pieces.heading("leads that change most")
        yield _leads_table(simulation.largest)


def _head(simulation: Simulation) -> RenderableType:
    summary, grid = simulation.summary, pieces.grid()
    grid.add_row("in force", name_of(simulation.before))
    grid.add_row("simulated", pieces.plain(name_of(simulation.after, simulation.source)))
    share = summary.leads_changed / (simulation.leads_total or 1)
    grid.add_row("leads changed", f"{summary.leads_changed:,} of {simulation.leads_total:,} ({share:.1%})")
    difference = pieces.signed(summary.points_after - summary.points_before)
    points = f"{summary.points_before:,} → {summary.points_after:,} ("
    grid.add_row("points", Text.assemble(points, difference, ")"))
    return grid


def _matrix_table(matrix: Matrix) -> RenderableType:
    columns = [printable(name) or "–" for name in matrix.columns]
    table = pieces.table("", *columns, right=columns)
    for name, counts in zip(matrix.rows, matrix.counts, strict=True):
        cells = (
            Text(f"{count:,}", "dim" if name == column else "bold") if count else _NOTHING
            for column, count in zip(matrix.columns, counts, strict=True)
        )
        table.add_row(pieces.styled(name) or "–", *cells)
    return table


def _ranking_head(before: pb.Ranking, after: pb.Ranking) -> RenderableType:
    table = pieces.table("", "in force", "simulated", right={"in force", "simulated"})
    for name, field in (("leads ranked", "lead_count"), ("converted after the landmark", "converted_count")):
        table.add_row(name, *(f"{getattr(each, field):,}" for each in (before, after)))
    table.add_row("excluded: converted before", *(f"{each.converted_before_count:,}" for each in (before, after)))
    table.add_row("AUC", *(Text(auc_of(each), "bold") for each in (before, after)))
    return table


def auc_of(ranking: pb.Ranking) -> str:
    """Returns the area under the curve as text; a dash if it is not defined."""
    return f"{ranking.auc:.3f}" if ranking.HasField("auc") else "–"


def count_of(leads: float) -> str:
    """Returns a number of leads as text, with one decimal if it is not whole."""
    return f"{leads:,.1f}".removesuffix(".0")


def _ranking_table(
    name: str, before: Iterable[pb.ConversionRate], after: Iterable[pb.ConversionRate]
) -> RenderableType:
    columns = (f"{name} in force", "leads", "rate", "lift", f"{name} simulated", "leads ", "rate ", "lift ")
    table = pieces.table(*columns, right={column for column in columns if name not in column})
    for old, new in zip_longest(before, after):
        table.add_row(*_rate_cells(old), *_rate_cells(new))
    return Group(Text(), table)


def _rate_cells(rate: pb.ConversionRate | None) -> tuple[Text | str, ...]:
    if rate is None:
        return "", "", "", ""
    return pieces.styled(rate.name), count_of(rate.lead_count), f"{rate.rate:.1%}", f"{rate.lift:.2f}"


def _rules_table(rules: Iterable[pb.RuleShare]) -> RenderableType:
    rules = list(rules)
    table = pieces.table("rule", "events", "points", "share", "", right={"events", "points", "share"})
    limit = max((rule.share for rule in rules), default=0.0)
    for rule in rules:
        bar = pieces.strip(rule.share, limit) if rule.event_count else Text("never matched", "yellow")
        table.add_row(pieces.plain(rule.rule_id), f"{rule.event_count:,}", f"{rule.points:,}", f"{rule.share:.1%}", bar)
    return table


def _leads_table(leads: Iterable[pb.LeadDifference]) -> RenderableType:
    table = pieces.table("lead", "change", "score", "stage", "grade", right={"change"})
    for lead in leads:
        grades = (lead.fit_grade_before or "–", lead.fit_grade_after or "–")
        table.add_row(
            pieces.plain(lead.lead_id),
            pieces.signed(change_of(lead)),
            f"{lead.score_before:,} → {lead.score_after:,}",
            pieces.moved(lead.stage_before, lead.stage_after),
            pieces.moved(*grades),
        )
    return table
