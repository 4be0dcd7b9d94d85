"""Tables that fit the terminal."""

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement, measure_renderables
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Cells between two columns."""
_UNLIMITED = 100_000

Widths = Mapping[int, Measurement]
"""The least and the full width of each column, by its index."""


class FittedTable:
    """A table that breaks lines only between words, and leaves out columns that matter less to make that possible.

    A line below the table names the columns that were left out. If the remaining ones do not fit, long words are
    broken.

    Args:
        columns: The names of the columns.
        right: The columns of numbers.
        optional: The columns to leave out, the least important first.
        unbroken: The columns whose lines are not broken between words either, such as times.
    """

    def __init__(
        self, columns: Sequence[str], right: Collection[str], optional: Sequence[str], unbroken: Collection[str]
    ) -> None:
        self._columns = columns
        self._right = right
        self._optional = [columns.index(name) for name in optional]
        self._unbroken = unbroken
        self._rows: list[Sequence[RenderableType]] = []

    def add_row(self, *cells: RenderableType) -> None:
        """Appends a row, with one cell per column."""
        self._rows.append(cells)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Returns the width of the columns that are never left out, and the width of all columns in full."""
        widths = self._widths(console, options)
        required = [width.minimum for index, width in widths.items() if index not in self._optional]
        full = [width.maximum for width in widths.values()]
        return Measurement(_total(required), _total(full)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws the table."""
        widths = dict(self._widths(console, options))
        omitted = []
        for index in self._optional:
            if _least(widths) <= options.max_width:
                break
            del widths[index]
            omitted.append(self._columns[index])
        yield self._table(widths, options.max_width)
        if omitted and self._rows:
            yield Text(f"not shown at this width: {', '.join(omitted)} (--json prints everything)", "dim")

    def _widths(self, console: Console, options: ConsoleOptions) -> Widths:
        cells = zip(*self._rows, strict=True) if self._rows else [()] * len(self._columns)
        unlimited = options.update(max_width=_UNLIMITED)
        widths = {
            index: measure_renderables(console, unlimited, [name, *column])
            for index, (name, column) in enumerate(zip(self._columns, cells, strict=True))
        }
        return {
            index: Measurement(width.maximum, width.maximum) if self._columns[index] in self._unbroken else width
            for index, width in widths.items()
        }

    def _table(self, widths: Widths, max_width: int) -> Table:
        drawn = Table(box=None, header_style="bold", pad_edge=False)
        fits, spare = _least(widths) <= max_width, max(max_width - _least(widths), 0)
        for index, width in widths.items():
            wider = min(width.maximum - width.minimum, spare)
            spare -= wider
            name = self._columns[index]
            drawn.add_column(
                name,
                justify="right" if name in self._right else "left",
                overflow="fold",
                width=width.minimum + wider if fits else None,
            )
        for row in self._rows:
            drawn.add_row(*(row[index] for index in widths))
        return drawn


def _least(widths: Widths) -> int:
    return _total([width.minimum for width in widths.values()])


def _total(columns: Sequence[int]) -> int:
    return sum(columns) + _GAP * (len(columns) - 1)
