"""Building blocks of views: tables, bars, times, and texts of callers shown without interpretation."""

from collections.abc import Collection, Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.terminal.output import printable
from cli.terminal.tables import FittedTable
from shared import wire

BAR_CELLS = 24

_STYLES = {
    "cold": "blue",
    "warm": "yellow",
    "hot": "red",
    "qualified": "bold green",
    "low": "green",
    "high": "red",
    "delivered": "green",
    "pending": "yellow",
    "failed": "red",
    "cancelled": "dim",
}
"""Colours of stages, risks and states of executions, by name."""


def bars(rows: Iterable[tuple[str, int]]) -> RenderableType:
    """Returns a row per name, with its count and a bar; the longest bar is the largest count's."""
    rows = list(rows)
    limit = max((abs(count) for _, count in rows), default=0) or 1
    drawn = Table.grid(padding=(0, 1))
    drawn.add_column()
    drawn.add_column(justify="right")
    for name, count in rows:
        drawn.add_row(plain(name) or "unknown", f"{count:,}", strip(count, limit, _STYLES.get(name, "cyan")))
    return drawn


def strip(count: float, limit: float, style: str = "cyan") -> Text:
    """Returns a bar for a count, scaled so that `limit` fills it; red if the count is negative."""
    cells = -int(-abs(count) * BAR_CELLS // (limit or 1))
    return Text("█" * cells, "red" if count < 0 else style)


def table(
    *columns: str, right: Collection[str] = (), optional: Sequence[str] = (), unbroken: Collection[str] = ()
) -> FittedTable:
    """Returns a table without rows; see `FittedTable` for the arguments."""
    return FittedTable(columns, right, optional, unbroken)


def grid() -> Table:
    """Returns a table without a header, for names and values."""
    empty = Table.grid(padding=(0, 2))
    empty.add_column(style="dim", no_wrap=True)
    return empty


def heading(text: str) -> Text:
    """Returns the title of a section."""
    return Text.assemble("\n", plain(text, "bold"))


def styled(name: str) -> Text:
    """Returns the name of a stage, a risk or a state in its colour."""
    return plain(name, _STYLES.get(name, ""))


def moved(before: str, after: str) -> Text:
    """Returns `before → after`, or just the stage if it did not change."""
    return styled(after) if before == after else Text.assemble(styled(before), " → ", styled(after))


def signed(points: int) -> Text:
    """Returns a difference in points, green or red."""
    return Text(f"{points:+,}", "green" if points > 0 else "red" if points < 0 else "dim")


def plain(text: str, style: str = "", *, lines: bool = False) -> Text:
    """Returns a caller's text without markup or control characters; `lines` keeps line breaks."""
    return Text("\n".join(map(printable, text.split("\n"))) if lines else printable(text), style)


def moment(timestamp: Timestamp) -> str:
    """Returns a time in UTC, to the minute; a dash if it is not set."""
    return f"{minute(timestamp)} UTC" if timestamp.ByteSize() else "–"


def minute(timestamp: Timestamp) -> str:
    """Returns a time like `moment`, for a column whose name says that it is in UTC."""
    return f"{wire.to_time(timestamp):%Y-%m-%d %H:%M}" if timestamp.ByteSize() else "–"
