"""Finding out how a CSV file is written: its delimiter, and the names of its columns."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cli.events.files.records import Unreadable

MAX_HEADER = 64 * 1024
"""Longest header, in characters."""

_DELIMITERS = {",": "commas", ";": "semicolons", "|": "bars", "\t": "tabs"}
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?$')


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How a CSV file is written.

    Attributes:
        delimiter: What separates the cells.
        first: The number of the line with the header, after blank lines and the `sep=` line of Excel.
        header: The names of the columns, without the blanks around them; empty for a column without a name.
    """

    delimiter: str
    first: int
    header: tuple[str, ...]

    def __str__(self) -> str:
        return f"CSV separated by {_DELIMITERS.get(self.delimiter, repr(self.delimiter))}"


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
        raise Unreadable(f"line {first + 1} does not end within {MAX_HEADER:,} characters, so it is no header of CSV")
    delimiter = delimiter or _delimiter(lines[first:])
    header = _first_row(lines[first:], delimiter)
    if not any(header):
        raise Unreadable(f"line {first + 1} should name the columns of CSV: it is empty, or a quotation mark is open")
    return CsvLayout(delimiter, first + 1, header)


def _delimiter(lines: list[str]) -> str:
    # A name of a column may contain a comma, but hardly ever a tab.
    if len(_first_row(lines, "\t")) > 1:
        return "\t"
    return max(_DELIMITERS, key=lambda delimiter: len(_first_row(lines, delimiter)))


def _first_row(lines: Iterable[str], delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return ()
    return tuple(cell.strip() for cell in cells)
