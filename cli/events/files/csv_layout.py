"""Finding out how a CSV file is written: its delimiter, and the names of its columns."""

import csv
import io
import re
from dataclasses import dataclass

from cli.events.files.records import Unreadable

MAX_HEADER = 64 * 1024
"""Longest header, in characters."""

_DELIMITERS = {",": "commas", ";": "semicolons", "|": "vertical bars", "\t": "tabs"}
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?$')


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How a CSV file is written.

    Attributes:
        delimiter: What separates the cells.
        first: The number of the line with the header, after blank lines and the `sep=` line of Excel.
        header: The names of the columns, without the spaces around them; empty for a column without a name.
        quoted: Whether cells may be in quotation marks. If not, these are ordinary characters.
    """

    delimiter: str
    first: int
    header: tuple[str, ...]
    quoted: bool

    def __str__(self) -> str:
        nameless = [str(place) for place, name in enumerate(self.header, 1) if not name]
        without = f" without column {', '.join(nameless)}, which has no name" if nameless else ""
        return f"CSV separated by {_DELIMITERS.get(self.delimiter, repr(self.delimiter))}{without}"


def csv_layout(head: str) -> CsvLayout:
    """Returns how the file is written that begins with `head`.

    Raises:
        Unreadable: It does not begin with a row of CSV.
    """
    lines, first, delimiter = io.StringIO(head, newline="").readlines(), 0, None
    for line in lines:
        if mark := _SEPARATOR_LINE.match(line.strip("\r\n ")):
            delimiter = mark[1]
        elif line.strip():
            break
        first += 1
    if len(lines[first:]) == 1 and len(lines[first]) >= MAX_HEADER:
        raise Unreadable(
            f"line {first + 1} does not end within {MAX_HEADER:,} characters, so it cannot be the header of CSV"
        )
    delimiter = delimiter or _delimiter("".join(lines[first : first + 1]))
    header, quoted = _first_row(lines[first:], delimiter), True
    if not header and delimiter == "\t":
        header, quoted = _cells(lines[first].split("\t")), False
    if not any(header):
        raise Unreadable(
            f"line {first + 1} should name the columns of CSV: it is empty, or a quotation mark is not closed"
        )
    return CsvLayout(delimiter, first + 1, header, quoted)


def _delimiter(line: str) -> str:
    plain = _QUOTED.sub("", line)
    # The name of a column may contain a comma, but hardly ever a tab.
    return "\t" if "\t" in plain else max(_DELIMITERS, key=plain.count)


def _first_row(lines: list[str], delimiter: str) -> tuple[str, ...]:
    try:
        return _cells(next(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True), []))
    except csv.Error:
        return ()


def _cells(cells: list[str]) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in cells)
