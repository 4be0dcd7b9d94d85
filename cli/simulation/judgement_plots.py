"""The plots of how well scores predict conversion, for one landmark each. `name` is unique on the page."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import ceil, sqrt

from leadscore.scoring.v1 import scoring_pb2 as pb
from matplotlib.axes import Axes

from cli.simulation.drawing import AFTER, BEFORE, FALL, GRID, INK, RISE, labels, percent, plot

MAX_BINS = 24
TAIL = 0.01
"""The share of the leads with the highest scores that are drawn as one bar."""
Z = 1.959964
"""Half of the width of a 95 % confidence interval, in standard errors."""
SQUARE = 3.9
"""Height in inches of a plot of two shares."""


def roc(name: str, before: pb.Ranking, after: pb.Ranking) -> str:
    """Draws the ROC curves of both models, with the stages of the simulated one."""
    with plot(name, "ROC curves of both models", SQUARE) as (drawn, axes):
        axes.plot([0, 1], [0, 1], color=GRID, linestyle=":", label="chance, AUC 0.500")
        for ranking, label, colour, line in (
            (before, "in force", BEFORE, "--"),
            (after, "simulated", AFTER, "-"),
        ):
            wins, losses = _cumulated((each.converted_count, each.lead_count) for each in reversed(ranking.ranges))
            auc = f", AUC {ranking.auc:.3f}" if ranking.HasField("auc") else ""
            axes.plot(losses, wins, color=colour, linestyle=line, linewidth=1.8, label=f"{label}{auc}")
        _mark_stages(axes, after.stages)
        axes.set_xlabel("of the leads that do not convert")
        axes.set_ylabel("of the leads that convert")
        _shares_on(axes)
        axes.legend(loc="lower right")
    return drawn.svg


def distribution(name: str, ranking: pb.Ranking) -> str:
    """Draws the scores of the leads that convert and of the others, each as shares of its group."""
    with plot(name, "Scores of the leads that convert and of those that do not", 3.2) as (drawn, axes):
        starts, width = _bins(ranking)
        columns = [0] * len(ranking.ranges)
        for index, each in enumerate(ranking.ranges):
            columns[index] = min(int((each.minimum_score - starts[0]) // width), len(starts) - 1)
        for label, colour, fill, counts in (
            ("do not convert", FALL, False, [each.lead_count - each.converted_count for each in ranking.ranges]),
            ("convert", RISE, True, [each.converted_count for each in ranking.ranges]),
        ):
            heights = [0.0] * len(starts)
            for column, count in zip(columns, counts, strict=True):
                heights[column] += count / (sum(counts) or 1)
            axes.stairs(
                heights,
                [*starts, starts[-1] + width],
                fill=fill,
                color=colour,
                alpha=0.45 if fill else 1,
                linewidth=1.8,
                label=label,
            )
        axes.set_xlabel("score at the landmark, simulated model")
        axes.set_ylabel("share of the group")
        axes.yaxis.set_major_formatter(percent())
        axes.legend()
    return drawn.svg


def rates(name: str, before: pb.Ranking, after: pb.Ranking) -> str:
    """Draws the conversion rate of each decile of the leads."""
    with plot(name, "Conversion rate of each decile of the leads", 3.2) as (drawn, axes):
        for ranking, label, colour, shift in ((before, "in force", BEFORE, -0.2), (after, "simulated", AFTER, 0.2)):
            positions = [index + shift for index in range(len(ranking.deciles))]
            axes.bar(positions, [each.rate for each in ranking.deciles], width=0.4, color=colour, label=label)
        base = after.converted_count / (after.lead_count or 1)
        axes.axhline(base, color=INK, linestyle=":", linewidth=1.2, label="all leads")
        names = [each.name for each in after.deciles]
        axes.set_xticks(range(len(names)), labels(names))
        axes.set_xlabel("tenth of the leads; 1 has the highest scores")
        axes.set_ylabel("conversion rate")
        axes.yaxis.set_major_formatter(percent())
        axes.legend()
    return drawn.svg


def gains(name: str, before: pb.Ranking, after: pb.Ranking) -> str:
    """Draws the share of all conversions among the leads with the highest scores."""
    with plot(name, "Conversions among the leads with the highest scores", SQUARE) as (drawn, axes):
        axes.plot([0, 1], [0, 1], color=GRID, linestyle=":", label="chance")
        for ranking, label, colour, line in ((before, "in force", BEFORE, "--"), (after, "simulated", AFTER, "-")):
            leads = _cumulative_shares([each.lead_count for each in ranking.deciles])
            converted = _cumulative_shares([each.converted_count for each in ranking.deciles])
            axes.plot(leads, converted, color=colour, linestyle=line, marker="o", markersize=3, label=label)
        axes.set_xlabel("of all leads, highest scores first")
        axes.set_ylabel("of all conversions")
        _shares_on(axes)
        axes.legend(loc="lower right")
    return drawn.svg


def calibration(name: str, before: pb.Ranking, after: pb.Ranking) -> str:
    """Draws the probabilities of leads against how many of them convert, with 95 % intervals (Wilson, 1927)."""
    with plot(name, "Probabilities and what happened", SQUARE) as (drawn, axes):
        highest = 0.05
        for ranking, label, colour, line in ((before, "in force", BEFORE, "--"), (after, "simulated", AFTER, "-")):
            bins = ranking.reliability.bins
            if not bins:
                continue
            probabilities, rates = [each.mean_probability for each in bins], [each.rate for each in bins]
            intervals = [_interval(each.rate, each.lead_count) for each in bins]
            errors = [
                [rate - low for rate, (low, _) in zip(rates, intervals, strict=True)],
                [high - rate for rate, (_, high) in zip(rates, intervals, strict=True)],
            ]
            error = ranking.reliability.calibration_error
            text = f"{label}, calibration error {error:.3f}"
            axes.errorbar(probabilities, rates, errors, color=colour, linestyle=line, marker="o", capsize=3, label=text)
            highest = max(highest, *probabilities, *(high for _, high in intervals))
        axes.plot([0, 1], [0, 1], color=GRID, linestyle=":", label="perfect")
        axes.set_xlabel("probability that the model gives")
        axes.set_ylabel("share that converts")
        _shares_on(axes, min(1, 1.05 * highest))
        axes.legend(loc="upper left")
    return drawn.svg


def _interval(rate: float, leads: int) -> tuple[float, float]:
    share = Z**2 / leads
    middle, width = rate + share / 2, Z * sqrt(rate * (1 - rate) / leads + share / (4 * leads))
    return max(0.0, min(rate, (middle - width) / (1 + share))), min(1.0, max(rate, (middle + width) / (1 + share)))


def _mark_stages(axes: Axes, stages: Sequence[pb.ConversionRate]) -> None:
    """Marks where each stage but the first begins: the leads in it and in those above it are up to there.

    A stage without leads begins where the one above it does, and has no mark.
    """
    stages = [each for each in stages if each.lead_count]
    wins, losses = _cumulated((each.converted_count, each.lead_count) for each in reversed(stages))
    begins = list(zip(labels(each.name for each in reversed(stages)), wins[1:], losses[1:], strict=True))[:-1]
    for name, win, loss in begins:
        if 0 < win + loss < 2:
            axes.plot([loss], [win], marker="o", markersize=5, color=AFTER)
            axes.annotate(name, (loss, win), (6, -9), textcoords="offset points", color=INK)


def _bins(ranking: pb.Ranking) -> tuple[list[float], float]:
    """Returns where bars of equal width begin, and their width; the last one has all higher scores, too."""
    if not ranking.ranges:
        return [0.0], 1.0
    lowest = last = ranking.ranges[0].minimum_score
    left = ranking.lead_count * TAIL
    for each in reversed(ranking.ranges):
        left -= each.lead_count
        if left < 0:
            last = each.minimum_score
            break
    width = max(1, ceil((last - lowest + 1) / MAX_BINS))
    count = (last - lowest) // width + 1
    return [lowest + number * width for number in range(count)], width


def _cumulated(counts: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Returns the cumulative shares of the leads that convert and of the others, from (converted, leads) of groups."""
    found = list(counts)
    return (
        _cumulative_shares([converted for converted, _ in found]),
        _cumulative_shares([leads - converted for converted, leads in found]),
    )


def _cumulative_shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) or 1
    return [0.0, *(count / total for count in accumulate(counts))]


def _shares_on(axes: Axes, highest: float = 1.0) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(percent(0))
    axes.set_xlim(0, highest)
    axes.set_ylim(0, 1.02 * highest)
