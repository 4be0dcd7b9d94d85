"""Views of how well the probabilities of a model agree with what happened."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration
from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group, RenderableType
from rich.text import Text

from cli.terminal import pieces
from shared.message_files import durations


class _Judged(NamedTuple):
    """The probabilities of a model, judged at a landmark."""

    landmark: Duration
    model: str
    leads: int
    found: pb.Reliability


def reliability_sections(summary: pb.SimulationSummary) -> Iterator[RenderableType]:
    """Yields a table of all landmarks and, if there is one only, the bins of each model; nothing without probabilities.

    A model without a calibration is left out.
    """
    judged = [each for judgement in summary.judgements for each in _with_probabilities(judgement)]
    if not judged:
        return
    yield pieces.heading("how well probabilities agree with what happened")
    yield _table(judged)
    yield from (Text(each, "yellow") for each in _mismatches(judged, summary))
    if len(summary.judgements) == 1:
        yield from (_bins_table(each.model, each.found.bins) for each in judged)


def _with_probabilities(judgement: pb.Judgement) -> Iterator[_Judged]:
    for model, ranking in (("in force", judgement.before), ("simulated", judgement.after)):
        if ranking.HasField("reliability"):
            yield _Judged(judgement.landmark, model, ranking.lead_count, ranking.reliability)


def _mismatches(judged: Iterable[_Judged], summary: pb.SimulationSummary) -> Iterator[str]:
    """Yields a sentence for each model whose probabilities are of another landmark or for another horizon."""
    for model, found in {each.model: each.found for each in judged}.items():
        is_there = any(each.landmark == found.landmark for each in summary.judgements)
        if not is_there or _text(found, "horizon") != _text(summary, "horizon"):
            horizon = f"--horizon {_text(found, 'horizon')}" if found.HasField("horizon") else "no --horizon"
            options = f"--landmark {_text(found, 'landmark')} and {horizon}"
            yield f"the probabilities of the model ({model}) are for {options}: judge them with these options"


def _text(message: pb.Reliability | pb.SimulationSummary, field: str) -> str:
    return durations.to_text(getattr(message, field)) if message.HasField(field) else ""


def _table(judged: Iterable[_Judged]) -> RenderableType:
    columns = ("leads", "Brier score", "calibration error")
    table = pieces.table("landmark", "model", *columns, right=set(columns))
    for landmark, model, leads, found in judged:
        figures = (f"{leads:,}", f"{found.brier_score:.3f}", f"{found.calibration_error:.3f}")
        table.add_row(durations.to_text(landmark), model, *figures)
    return table


def _bins_table(model: str, bins: Iterable[pb.ReliabilityBin]) -> RenderableType:
    columns = ("leads", "converted", "rate")
    table = pieces.table(f"mean probability, {model}", *columns, right=set(columns))
    for each in bins:
        figures = (f"{each.lead_count:,}", f"{each.converted_count:,}", f"{each.rate:.1%}")
        table.add_row(f"{each.mean_probability:.1%}", *figures)
    return Group(Text(), table)
