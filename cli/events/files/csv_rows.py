"""The rows of CSV. A malformed row is a flaw, and does not affect others."""

import csv
import io
from collections.abc import Iterator, Sequence

from cli.events.files.csv_layout import CsvLayout
from cli.events.files.encodings import NOT_TEXT, is_text
from cli.events.files.records import MAX_RECORD, Fields, Record, check_columns


def csv_rows(text: io.TextIOBase, layout: CsvLayout, names: Sequence[str] | None) -> Iterator[Record]:
    """Yields the rows of a file. Rows without any value are skipped, and columns without a name are left out.

    Args:
        text: The whole file. Its line ends are as they are in the file, and invalid bytes are surrogates.
        layout: How it is written.
        names: The names of the columns, if the file has no header and no quotation marks.

    Raises:
        Unreadable: The header has a column twice.
    """
    if names is None:
        check_columns(layout.header, f"line {layout.first}")
    lines = _Lines(text)
    for _ in range(layout.first - 1):
        next(lines)
    # A reader that is not strict would silently read everything after an open quotation mark as one cell.
    rows = csv.reader(
        lines,
        delimiter=layout.delimiter,
        quoting=csv.QUOTE_MINIMAL if layout.quoted and names is None else csv.QUOTE_NONE,
        skipinitialspace=True,
        strict=True,
    )
    if names is None:
        next(rows)
    while True:
        lines.start_row()
        try:
            cells = next(rows, None)
        except (csv.Error, _TooLong) as error:
            yield Record(lines.row, None, _flaw(error, lines))
            continue
        if cells is None:
            return
        if record := _record(lines, layout.header if names is None else names, cells):
            yield record


def _record(lines: "_Lines", header: Sequence[str], cells: list[str]) -> Record | None:
    fields: Fields = {name: cell for name, cell in zip(header, map(str.strip, cells), strict=False) if cell}
    fields.pop("", None)
    if len(cells) > len(header) and any(map(str.strip, cells[len(header) :])):
        return Record(lines.row, None, f"has {len(cells)} cells, but there are only {len(header)} columns")
    if not lines.is_text:
        return Record(lines.row, None, NOT_TEXT)
    return Record(lines.row, fields) if fields else None


def _flaw(error: Exception, lines: "_Lines") -> str:
    reason = str(error)
    if reason.startswith("field larger than field limit"):
        reason = f"a cell is longer than {csv.field_size_limit():,} characters"
    if lines.number == lines.row:
        return f"is not CSV: {reason}"
    return f"is not CSV: {reason}; if a quotation mark is missing, the rows up to line {lines.number:,} were not read"


class _TooLong(Exception):
    """A row is too long."""


class _Lines:
    """The lines of a file for a reader of CSV, which reads a row of any length.

    Attributes:
        number: The number of lines so far.
        row: The number of the line that the row begins with.
        is_text: Whether all bytes of the row were text.
    """

    def __init__(self, text: io.TextIOBase) -> None:
        self.number = 0
        self._text = text
        self.start_row()

    def start_row(self) -> None:
        self.row = self.number + 1
        self.is_text = True
        self._left = MAX_RECORD

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_RECORD)
        if not line:
            raise StopIteration
        self.number += 1
        self._left -= len(line)
        if self._left <= 0:
            self._skip_line(line)
            raise _TooLong(f"the row is longer than {MAX_RECORD:,} characters")
        if not is_text(line):
            self.is_text = False
        return line

    def _skip_line(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(MAX_RECORD)
