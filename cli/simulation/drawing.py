"""How a plot of a report is drawn: as SVG to embed in HTML. The same numbers give the same bytes."""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cli.terminal.output import printable

INK, GRID = "#1f2a3d", "#8a94a6"
BEFORE, AFTER = "#7d8899", "#0072b2"
RISE, FALL = "#0072b2", "#d55e00"
"""Blue and vermilion differ for every kind of colour blindness, and in grey."""
MAX_CHARACTERS = 28

_STYLE: Any = {
    "svg.fonttype": "none",  # keep text as text, for search and screen readers
    "text.parse_math": False,  # a name with two dollar signs is not a formula
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRID,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}
_WIDTH = 5.0
"""Width in inches: as wide as a phone, so that text is not smaller there than on the page around it."""


class Plot:
    """A figure; `svg` is set at the end of the block that draws it."""

    svg: str = ""


@contextmanager
def plot(name: str, title: str, height: float) -> Iterator[tuple[Plot, Axes]]:
    """Draws a plot `height` inches high. `name` is unique on the page; `title` is for those who cannot see the plot."""
    drawn = Plot()
    # The salt makes ids reproducible, and different in each plot of a page.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        yield drawn, figure.add_subplot()
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    # matplotlib numbers other ids from 1 in each plot, but ids must be unique in a page.
    svg = re.sub(r'\bid="([\w.]+_\d+)"', rf'id="{name}-\1"', svg)
    svg = svg.replace("<svg", f'<svg role="img" aria-labelledby="{name}-title"', 1)
    drawn.svg = svg.replace(">", f'><title id="{name}-title">{escape(printable(title))}</title>', 1)


def labels(names: Iterable[str]) -> list[str]:
    """Returns names as labels: short, and without characters whose width matplotlib does not know.

    The middle of a long name is left out, because names often differ at the end only.
    """
    half = MAX_CHARACTERS // 2
    short = (name if len(name) <= MAX_CHARACTERS else f"{name[: half - 1]}…{name[-half:]}" for name in names)
    return [printable(name).encode("cp1252", "replace").decode("cp1252") for name in short]


def percent(decimals: int | None = None) -> PercentFormatter:
    """Returns a formatter of shares; by default with as many decimals as the axis needs."""
    return PercentFormatter(1.0, decimals=decimals)
