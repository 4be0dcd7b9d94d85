"""The plots of a report, as SVG to embed in HTML. The same numbers give the same bytes."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import matplotlib as mpl
from leadscore.scoring.v1 import scoring_pb2 as pb
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cli.simulation.run import Matrix, buckets, label_of
from cli.terminal.output import printable

BEFORE, AFTER, FALL = "#9aa5b8", "#2f6fde", "#d9534f"
MAX_RULES = 20
MAX_CHARACTERS = 28

_STYLE: Any = {
    "svg.fonttype": "none",  # keep text as text, for search and screen readers
    "text.parse_math": False,  # a name with two dollar signs is not a formula
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a94a6",
    "axes.titlelocation": "left",
    "legend.frameon": False,
}
_WIDTH = 6.4
"""Width in inches of a plot that takes half of the page."""
_DARK = 0.6
"""Numbers on shades from this one on are white."""


class Plot:
    """A figure; `svg` is set at the end of the block that draws it."""

    svg: str = ""


def migration(matrix: Matrix) -> str:
    """Draws how many leads move from each stage to each other one; darker cells have more leads."""
    height = 1.2 + 0.5 * len(matrix.rows)
    with _plot("migration", height) as (plot, axes):
        # Most leads usually stay in their stage; the square root keeps the other cells visible.
        shades = [[(count / (matrix.limit or 1)) ** 0.5 for count in row] for row in matrix.counts]
        axes.pcolormesh(shades, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=2)
        axes.set_xticks([column + 0.5 for column in range(len(matrix.columns))], _labels(matrix.columns))
        axes.set_yticks([row + 0.5 for row in range(len(matrix.rows))], _labels(matrix.rows))
        axes.invert_yaxis()
        axes.set_xlabel("stage if published")
        axes.set_ylabel("stage now")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for row, counts in enumerate(matrix.counts):
            for column, count in enumerate(counts):
                colour = "white" if shades[row][column] > _DARK else "#1f2a3d"
                axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", color=colour)
    return plot.svg


def changes(counts: Mapping[int, int]) -> str:
    """Draws the number of leads per change of the score; `counts` has the buckets of `bucket` as keys."""
    found = [each for each in buckets(counts) if each]
    with _plot("changes", 3.0, width=2 * _WIDTH) as (plot, axes):
        colours = [FALL if each < 0 else AFTER for each in found]
        axes.bar(range(len(found)), [counts.get(each, 0) for each in found], color=colours, width=0.9)
        axes.set_xticks(range(len(found)), list(map(label_of, found)), rotation=30, ha="right")
        axes.set_xlabel("change of the score, in points")
        axes.set_ylabel("leads")
    return plot.svg


def rates(name: str, before: pb.Ranking, after: pb.Ranking) -> str:
    """Draws the conversion rate of each decile of the leads; `name` is unique on the page."""
    with _plot(name, 3.2) as (plot, axes):
        for ranking, label, colour, shift in ((before, "in force", BEFORE, -0.2), (after, "simulated", AFTER, 0.2)):
            positions = [index + shift for index in range(len(ranking.deciles))]
            axes.bar(positions, [each.rate for each in ranking.deciles], width=0.4, color=colour, label=label)
        axes.axhline(
            after.converted_count / (after.lead_count or 1), color="#8a94a6", linestyle="--", label="all leads"
        )
        names = [each.name for each in after.deciles]
        axes.set_xticks(range(len(names)), _labels(names))
        axes.set_xlabel("decile of the leads, 1 has the highest scores")
        axes.set_ylabel("conversion rate")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.legend()
    return plot.svg


def gains(name: str, before: pb.Ranking, after: pb.Ranking) -> str:
    """Draws the share of all conversions among the leads with the highest scores; `name` is unique on the page."""
    with _plot(name, 3.2) as (plot, axes):
        axes.plot([0, 1], [0, 1], color="#8a94a6", linestyle="--", label="chance")
        for ranking, label, colour in ((before, "in force", BEFORE), (after, "simulated", AFTER)):
            leads = _cumulative_shares([each.lead_count for each in ranking.deciles])
            converted = _cumulative_shares([each.converted_count for each in ranking.deciles])
            axes.plot(leads, converted, color=colour, marker="o", markersize=3, label=label)
        axes.set_xlabel("leads, highest scores first")
        axes.set_ylabel("conversions among them")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend(loc="lower right")
    return plot.svg


def shares(rules: Sequence[pb.RuleShare]) -> str:
    """Draws each rule's share of the points, largest first; at most `MAX_RULES` rules."""
    largest = sorted(rules, key=lambda rule: (-rule.share, rule.rule_id))[:MAX_RULES]
    with _plot("shares", 0.9 + 0.26 * len(largest)) as (plot, axes):
        colours = [FALL if rule.points < 0 else AFTER for rule in largest]
        axes.barh(range(len(largest)), [rule.share for rule in largest], color=colours, height=0.7)
        axes.set_yticks(range(len(largest)), _labels(rule.rule_id for rule in largest))
        axes.invert_yaxis()
        axes.set_xlabel("share of the points of all rules, by magnitude")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    return plot.svg


@contextmanager
def _plot(name: str, height: float, width: float = _WIDTH) -> Iterator[tuple[Plot, Axes]]:
    plot = Plot()
    # The salt makes ids reproducible, and different in each plot of a page.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield plot, figure.add_subplot()
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    # matplotlib numbers other ids from 1 in each plot, but ids must be unique in a page.
    plot.svg = re.sub(r'\bid="([\w.]+_\d+)"', rf'id="{name}-\1"', svg)


def _labels(names: "Iterator[str] | Sequence[str]") -> list[str]:
    # matplotlib measures text with its own fonts, which lack other glyphs.
    short = (name if len(name) <= MAX_CHARACTERS else f"{name[: MAX_CHARACTERS - 1]}…" for name in names)
    return [printable(name).encode("cp1252", "replace").decode("cp1252") for name in short]


def _cumulative_shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) or 1
    return [0.0, *(count / total for count in accumulate(counts))]
