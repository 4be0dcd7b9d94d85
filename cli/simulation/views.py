"""Views of the results of a simulation on the terminal."""

from collections.abc import Iterable, Iterator

from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from cli.model.views import mismatch_sentence
from cli.simulation.judgements import judgement_sections
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
    yield from judgement_sections(summary)
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
