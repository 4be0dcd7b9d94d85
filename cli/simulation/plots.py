"""The plots of what a model would change, and of its points."""

from collections.abc import Mapping, Sequence

from leadscore.scoring.v1 import scoring_pb2 as pb
from matplotlib.ticker import MaxNLocator

from cli.simulation.drawing import FALL, INK, RISE, labels, percent, plot
from cli.simulation.run import Matrix, buckets, label_of

MAX_RULES = 40
_DARK = 0.6
"""Numbers on shades from this one on are white."""


def migration(matrix: Matrix) -> str:
    """Draws how many leads move from each stage to each other one; darker cells have more leads."""
    title = "Leads by their stage now and their stage if the model was published"
    with plot("migration", title, 1.2 + 0.5 * len(matrix.rows)) as (drawn, axes):
        # Most leads usually stay in their stage; the square root keeps the other cells visible.
        shades = [[(count / (matrix.limit or 1)) ** 0.5 for count in row] for row in matrix.counts]
        axes.pcolormesh(shades, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=2)
        centres = [column + 0.5 for column in range(len(matrix.columns))]
        axes.set_xticks(centres, labels(matrix.columns), rotation=25, ha="right", rotation_mode="anchor")
        axes.set_yticks([row + 0.5 for row in range(len(matrix.rows))], labels(matrix.rows))
        axes.invert_yaxis()
        axes.set_xlabel("stage if published")
        axes.set_ylabel("stage now")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for row, counts in enumerate(matrix.counts):
            for column, count in enumerate(counts):
                colour = "white" if shades[row][column] > _DARK else INK
                axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", color=colour)
    return drawn.svg


def changes(counts: Mapping[int, int]) -> str:
    """Draws the number of leads per change of the score; `counts` has the buckets of `bucket` as keys."""
    found = [each for each in buckets(counts) if each]
    with plot("changes", "Leads by the change of their score", 0.9 + 0.24 * len(found)) as (drawn, axes):
        colours = [FALL if each < 0 else RISE for each in found]
        axes.barh(range(len(found)), [counts.get(each, 0) for each in found], color=colours, height=0.8)
        axes.set_yticks(range(len(found)), list(map(label_of, found)))
        axes.set_xlabel("leads")
        axes.set_ylabel("change of the score, in points")
    return drawn.svg


def points(rules: Sequence[pb.ScoringRule]) -> str:
    """Draws the points that each rule gives for an event, most first; at most `MAX_RULES` rules."""
    largest = sorted(rules, key=lambda rule: (-abs(rule.points), rule.rule_id))[:MAX_RULES]
    largest.sort(key=lambda rule: (-rule.points, rule.rule_id))
    with plot("points", "Points of each rule", 0.9 + 0.26 * len(largest)) as (drawn, axes):
        colours = [FALL if rule.points < 0 else RISE for rule in largest]
        bars = axes.barh(range(len(largest)), [rule.points for rule in largest], color=colours, height=0.7)
        axes.bar_label(bars, [f"{rule.points:+,}" for rule in largest], padding=3, color=INK)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(largest)), labels(rule.rule_id for rule in largest))
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xlabel("points for one event")
    return drawn.svg


def shares(rules: Sequence[pb.RuleShare]) -> str:
    """Draws each rule's share of the points of all leads, largest first; at most `MAX_RULES` rules."""
    largest = sorted(rules, key=lambda rule: (-rule.share, rule.rule_id))[:MAX_RULES]
    title = "Share of each rule in the points of all leads"
    with plot("shares", title, 0.9 + 0.26 * len(largest)) as (drawn, axes):
        colours = [FALL if rule.points < 0 else RISE for rule in largest]
        axes.barh(range(len(largest)), [rule.share for rule in largest], color=colours, height=0.7)
        axes.set_yticks(range(len(largest)), labels(rule.rule_id for rule in largest))
        axes.invert_yaxis()
        axes.set_xlabel("share of all points, by magnitude")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(percent())
    return drawn.svg
