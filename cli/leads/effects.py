"""Views of what events would do to a lead."""

from collections.abc import Iterator, Sequence

from leadscore.intelligence.v1 import intelligence_pb2 as pb
from rich.console import Group, RenderableType
from rich.text import Text

from cli.leads.probability import probability_of
from cli.terminal import pieces

MAX_RULES = 5
"""Rules that are named of those that would move a lead."""


def preview_view(found: pb.PreviewLeadIntelligenceResponse) -> RenderableType:
    """Returns the lead now and after each event as a table, and the rules that would move it most."""
    sections = [_table(found)] if found.event_effects else []
    sections += moving_rules(found.lead_intelligence, found.rule_effects)
    return Group(*sections) if sections else Text("no rule would change the score of this lead")


def moving_rules(now: pb.LeadIntelligence, effects: Sequence[pb.EventEffect]) -> list[RenderableType]:
    """Returns the rules that would move a lead most, with a heading; nothing if there are none."""
    if not effects:
        return []
    grid = pieces.grid()
    for effect in effects[:MAX_RULES]:
        grid.add_row(pieces.plain(effect.rule_id), Text.assemble(pieces.signed(effect.delta), *_result(now, effect)))
    return [pieces.heading("what would move this lead most"), grid]


def _result(now: pb.LeadIntelligence, effect: pb.EventEffect) -> Iterator[Text | str]:
    """Yields the stage and the probability after an event, each if it is another one."""
    if effect.stage != now.stage:
        yield from (" → ", pieces.styled(effect.stage))
    if effect.conversion_probability != now.conversion_probability:
        yield f", converts {probability_of(effect.conversion_probability)}"


def _table(found: pb.PreviewLeadIntelligenceResponse) -> RenderableType:
    now = found.lead_intelligence
    has_fit, has_probability = now.HasField("fit"), now.HasField("conversion_probability")
    columns = ["", "rule", "points", "score", "stage"]
    columns += ["fit"] * has_fit + ["converts"] * has_probability + ["velocity", "next action"]
    table = pieces.table(*columns, right={"points", "score", "velocity"}, optional=["velocity", "rule"])
    table.add_row("now", "", "", *_cells(now))
    for effect in found.event_effects:
        event = pieces.plain(", ".join(effect.event_types))
        rule = pieces.plain(effect.rule_id) or "–"
        table.add_row(event, rule, pieces.signed(effect.delta), *_cells(effect))
    return table


def _cells(found: pb.LeadIntelligence | pb.EventEffect) -> Iterator[Text | str]:
    yield f"{found.score:,}"
    yield pieces.styled(found.stage)
    if found.HasField("fit"):
        yield found.fit.rating
    if found.HasField("conversion_probability"):
        yield probability_of(found.conversion_probability)
    yield str(found.velocity)
    yield pieces.plain(found.next_action)
