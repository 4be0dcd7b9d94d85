"""Views of how well scores predict conversion."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group, RenderableType
from rich.text import Text

from cli.simulation.reliability import reliability_sections
from cli.terminal import pieces
from cli.terminal.counts import counted
from cli.terminal.output import printable
from shared.message_files import durations

SIGNIFICANT = 0.05
"""A difference that would be rarer by chance is called one."""


def judgement_sections(summary: pb.SimulationSummary) -> Iterator[RenderableType]:
    """Yields a table of all landmarks, the warnings, and, if there is one landmark only, its stages and deciles."""
    if not summary.judgements:
        return
    yield pieces.heading("how well scores predict conversion")
    yield _judgements_table(summary.judgements)
    yield from map(pieces.plain, notes(summary))
    yield from (Text(printable(warning), "yellow") for warning in warnings(summary))
    if len(summary.judgements) == 1:
        [judgement] = summary.judgements
        yield _rates_table("stage", judgement.before.stages, judgement.after.stages)
        yield _rates_table("decile", judgement.before.deciles, judgement.after.deciles)
    yield from reliability_sections(summary)


def landmark_of(judgement: pb.Judgement) -> str:
    """Returns the landmark as text, such as `7d`."""
    return durations.to_text(judgement.landmark)


def auc_of(ranking: pb.Ranking) -> str:
    """Returns the area under the curve with its 95 % confidence interval as text; a dash if it is not defined."""
    bounds = f" ({ranking.auc_low:.3f}–{ranking.auc_high:.3f})" if ranking.HasField("auc_low") else ""
    return f"{bare_auc_of(ranking)}{bounds}"


def bare_auc_of(ranking: pb.Ranking) -> str:
    """Returns the area under the curve as text; a dash if it is not defined."""
    return f"{ranking.auc:.3f}" if ranking.HasField("auc") else "–"


def precision_of(ranking: pb.Ranking) -> str:
    """Returns the average precision as text; a dash if it is not defined."""
    return f"{ranking.average_precision:.3f}" if ranking.HasField("average_precision") else "–"


def lift_of(ranking: pb.Ranking) -> str:
    """Returns the lift among the tenth of the leads with the highest scores as text; a dash if there are no leads."""
    return f"{ranking.deciles[0].lift:.2f}" if ranking.deciles and ranking.lead_count else "–"


def base_rate_of(ranking: pb.Ranking) -> str:
    """Returns the conversion rate of all ranked leads as text; a dash if there are no leads."""
    return f"{ranking.converted_count / ranking.lead_count:.1%}" if ranking.lead_count else "–"


def p_value_of(judgement: pb.Judgement) -> str:
    """Returns the probability that a difference is noise as text; a dash if it is not defined."""
    if not judgement.HasField("comparison"):
        return "–"
    value = judgement.comparison.p_value
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def highest_rate_of(judgement: pb.Judgement) -> float:
    """Returns the highest conversion rate of a stage or decile; 1 if no lead converted."""
    groups = (getattr(side, name) for side in (judgement.before, judgement.after) for name in ("stages", "deciles"))
    return max((each.rate for group in groups for each in group), default=0.0) or 1.0


def verdict(judgement: pb.Judgement) -> str:
    """Returns a sentence that says which model is better, for people who do not know the figures."""
    if not judgement.HasField("comparison"):
        return ""
    before, after = (round(100 * ranking.auc) for ranking in (judgement.before, judgement.after))
    p = p_value_of(judgement)
    chance = (
        f"So large a difference would be rare by chance (p {p.replace('<', '< ') if p.startswith('<') else f'= {p}'})."
        if judgement.comparison.p_value < SIGNIFICANT
        else f"So small a difference may be chance (p = {p})."
    )
    return (
        f"Of a lead that converts and one that does not, the simulated model gives the first one the higher score in "
        f"{after} of 100 pairs, the model in force in {before}. {chance}"
    )


def count_of(leads: float) -> str:
    """Returns a number of leads as text, with one decimal if it is not whole."""
    return f"{leads:,.1f}".removesuffix(".0")


def notes(summary: pb.SimulationSummary) -> Iterator[str]:
    """Yields sentences on what the judgements rest on."""
    if summary.began_before_count:
        leads = counted(summary.began_before_count, "lead")
        yield f"{leads} left out because they began before --train-before"
    for each in summary.judgements:
        yield (
            f"{landmark_of(each)}: left out {counted(each.decided_before_count, 'lead')} decided before, and "
            f"{each.censored_count:,} whose outcome is unknown"
        )
        if each.recorded_later_count:
            facts = counted(each.recorded_later_count, "event or adjustment", "events and adjustments")
            yield f"{landmark_of(each)}: left out {facts} recorded after the landmark"
        ranking = each.after
        if each.recorded_later_count and len(ranking.ranges) == 1:
            yield (
                f"{landmark_of(each)}: all leads have the same score, because what they did was recorded later, as by "
                "an import: judge them without --as-known"
            )
        if not ranking.lead_count:
            yield f"{landmark_of(each)}: no lead can be judged: choose an earlier landmark or a shorter horizon"
        elif not ranking.converted_count:
            yield f"{landmark_of(each)}: no lead converted after the landmark: check the names in --conversion"
        elif ranking.converted_count == ranking.lead_count:
            yield (
                f"{landmark_of(each)}: all leads that can be judged converted: name the event types of lost leads "
                "with --lost, or set a --horizon"
            )


def warnings(summary: pb.SimulationSummary) -> Iterator[str]:
    """Yields a warning for each rule whose events may be a part of the outcome."""
    for leak in summary.leaks:
        yield (
            f"rule {leak.rule_id} may be a part of the outcome: {leak.followed_count:,} of its {leak.event_count:,} "
            "events are followed by it within 10 minutes"
        )


def _judgements_table(judgements: Iterable[pb.Judgement]) -> RenderableType:
    columns = ("leads", "convert", "AUC (95 % interval)", "p", "precision", "lift at 10 %")
    table = pieces.table("landmark", "model", *columns, right=set(columns))
    for each in judgements:
        for number, (name, ranking) in enumerate((("in force", each.before), ("simulated", each.after))):
            table.add_row(
                "" if number else landmark_of(each),
                name,
                "" if number else f"{ranking.lead_count:,}",
                "" if number else base_rate_of(ranking),
                auc_of(ranking),
                p_value_of(each) if number else "",
                precision_of(ranking),
                lift_of(ranking),
            )
    return table


def _rates_table(name: str, before: Iterable[pb.ConversionRate], after: Iterable[pb.ConversionRate]) -> RenderableType:
    columns = (f"{name} in force", "leads", "rate", "lift", f"{name} simulated", "leads ", "rate ", "lift ")
    table = pieces.table(*columns, right={column for column in columns if name not in column})
    for old, new in zip_longest(before, after):
        table.add_row(*_rate_cells(old), *_rate_cells(new))
    return Group(Text(), table)


def _rate_cells(rate: pb.ConversionRate | None) -> tuple[Text | str, ...]:
    if rate is None:
        return "", "", "", ""
    return pieces.styled(rate.name), count_of(rate.lead_count), f"{rate.rate:.1%}", f"{rate.lift:.2f}"
