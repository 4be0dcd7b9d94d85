"""Event files in CSV: the first line names the columns, each further row is an event."""

import _csv
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from cli.events.lines import TIME_FIELDS, Line, to_line
from cli.terminal.connection import CommandError

_REQUIRED = ("event_id", "lead_id", "event_type")


def csv_lines(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    """Yields the rows of a CSV file, which errors call `name`; empty cells are left out.

    Raises:
        CommandError: The file has no valid header, or a required column is missing.
    """
    # Invalid UTF-8 becomes surrogates, which protobuf refuses: only that line has a flaw.
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        # A reader that is not strict would silently read everything after an open quote as one cell.
        yield from _rows(csv.reader(text, strict=True), name)
    finally:
        text.detach()  # the owner of the stream closes it


def _rows(rows: "_csv.Reader", name: str) -> Iterator[Line]:
    header = _header(rows, name)
    while True:
        begin = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            span = f", from line {begin} on" if begin < rows.line_num else ""
            yield Line(rows.line_num, None, f"is not CSV{span}: {error}")
            continue
        if cells is None:
            return
        if len(cells) > len(header):
            yield Line(rows.line_num, None, f"has more cells ({len(cells)}) than there are columns ({len(header)})")
        elif cells:
            yield _csv_line(rows.line_num, dict(zip(header, cells, strict=False)))


def _header(rows: "_csv.Reader", name: str) -> list[str]:
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise CommandError(f"the first line of {name} is not CSV: {error}") from None
    missing = [column for column in _REQUIRED if column not in header]
    if missing or not set(TIME_FIELDS) & set(header):
        raise CommandError(f"{name} has no column {(missing or TIME_FIELDS)[0]}: its first line must name the columns")
    return header


def _csv_line(number: int, cells: dict[str, str]) -> Line:
    row: dict[str, Any] = {column: cell for column, cell in cells.items() if cell}
    try:
        if "properties" in row:
            row["properties"] = json.loads(row["properties"])
    except (ValueError, RecursionError):
        return Line(number, None, "properties: is not JSON")
    return to_line(number, row)
