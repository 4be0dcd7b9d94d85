"""The pieces that views are made of."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from shared import wire
from shared.pb.intelligence.v1 import intelligence_pb2 as intelligence

STYLES = {
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


def make_table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Returns a table without lines; columns named in `right` are numbers."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def make_grid() -> Table:
    """Returns a table of names and values."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    return grid


def heading(text: str) -> Text:
    """Returns a line above a section."""
    return Text(f"\n{text}", "bold")


def styled(name: str) -> Text:
    """Returns the name of a stage, a risk or a state in its colour."""
    return Text(name, STYLES.get(name, ""))


def risk_name(risk: "intelligence.Risk") -> str:
    """Returns the name of a risk, such as `low`."""
    return intelligence.Risk.Name(risk).removeprefix("RISK_").lower()


def plain(text: str, style: str = "", *, lines: bool = False) -> Text:
    """Returns a caller's text as it is: no markup, and nothing that a terminal would obey but the ends of lines."""
    return Text("".join(each if each.isprintable() or (lines and each == "\n") else "�" for each in text), style)


def time_of(timestamp: Timestamp) -> str:
    """Returns a time for people, a dash when there is none."""
    if not timestamp.ByteSize():
        return "–"
    return f"{wire.to_time(timestamp):%Y-%m-%d %H:%M} UTC"


def moved(before: str, after: str) -> Text:
    """Returns a stage, with the one before when it is another."""
    return Text.assemble(styled(before), " → ", styled(after)) if before != after else styled(after)
