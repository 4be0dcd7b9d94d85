"""Views of how well the probabilities of a model agree with what happened."""

from collections.abc import Iterable, Iterator

from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group, RenderableType
from rich.text import Text

from cli.terminal import pieces
from shared.message_files import durations


def reliability_sections(judgements: Iterable[pb.Judgement]) -> Iterator[RenderableType]:
    """Yields a table of all landmarks and, if there is one only, the bins of each model; nothing without probabilities.

    A model without a calibration is left out.
    """
    judged = [(each, list(_with_probabilities(each))) for each in judgements]
    if not any(models for _, models in judged):
        return
    yield pieces.heading("how well probabilities agree with what happened")
    yield _table(judged)
    if len(judged) == 1:
        [(_, models)] = judged
        for name, ranking in models:
            yield _bins_table(name, ranking.reliability.bins)


def _with_probabilities(judgement: pb.Judgement) -> Iterator[tuple[str, pb.Ranking]]:
    for name, ranking in (("in force", judgement.before), ("simulated", judgement.after)):
        if ranking.HasField("reliability"):
            yield name, ranking


def _table(judged: Iterable[tuple[pb.Judgement, list[tuple[str, pb.Ranking]]]]) -> RenderableType:
    columns = ("leads", "Brier score", "calibration error")
    table = pieces.table("landmark", "model", *columns, right=set(columns))
    for judgement, models in judged:
        for name, ranking in models:
            found = ranking.reliability
            figures = (f"{ranking.lead_count:,}", f"{found.brier_score:.3f}", f"{found.calibration_error:.3f}")
            table.add_row(durations.to_text(judgement.landmark), name, *figures)
    return table


def _bins_table(name: str, bins: Iterable[pb.ReliabilityBin]) -> RenderableType:
    columns = ("leads", "converted", "rate")
    table = pieces.table(f"mean probability, {name}", *columns, right=set(columns))
    for each in bins:
        figures = (f"{each.lead_count:,}", f"{each.converted_count:,}", f"{each.rate:.1%}")
        table.add_row(f"{each.mean_probability:.1%}", *figures)
    return Group(Text(), table)
