"""Opens a file of events: finds its mapping, which says what the fields mean, and turns its records into lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.events.files.opening import open_events
from cli.events.files.records import EventFile, Record
from cli.events.lines import Line
from cli.events.mapping.cells import ObservedCells, declared_cells
from cli.events.mapping.detection import find_mapping, is_table
from cli.events.mapping.formats import AUTO
from cli.events.mapping.lines import Table, to_lines
from cli.events.spool import spooled
from cli.terminal.connection import CommandError
from shared.mapping.converting import missing_columns
from shared.mapping.schema import MappingFile
from shared.mapping.times.readers import TimeOptions


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the command line says about a file: how to read it, and what its fields mean."""

    format: str = AUTO
    mapping: Path | None = None
    times: TimeOptions = field(default_factory=TimeOptions)
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """An open file of events.

    Attributes:
        format: The name of its format, or the path of its mapping file.
        notice: A sentence for people that says what the file is.
        unit: What the numbers of its lines count: lines, items or rows.
        lines: Its lines, which can be read once.
    """

    format: str
    notice: str
    unit: str
    lines: Iterator[Line]


@contextmanager
def open_import(path: Path | None, options: ImportOptions) -> Iterator[Import]:
    """Opens a file, or standard input if there is no path.

    Raises:
        CommandError: The file cannot be read, its format is unknown, or it lacks columns that the mapping needs.
    """
    with open_events(path, options.encoding) as file:
        name, mapping = find_mapping(file, options.format, options.mapping)
        yield Import(name, _notice(file, mapping, name, options), file.unit, _lines(file, mapping, options.times))


def _notice(file: EventFile, mapping: MappingFile, name: str, options: ImportOptions) -> str:
    # The layout of a file without a header describes its first row.
    layout = "" if mapping.columns else f"is {file.layout}, "
    option = "--mapping" if options.mapping else "--format"
    return f"{file.name} {layout}read as {mapping.title} ({option} {name})"


def _lines(file: EventFile, mapping: MappingFile, times: TimeOptions) -> Iterator[Line]:
    records = file.records(mapping.columns or None)
    if file.typed:
        table = Table(file.columns) if is_table(file) else None
        return to_lines(records, mapping, times, table)
    return _table_lines(file, mapping, times, records)


def _table_lines(
    file: EventFile, mapping: MappingFile, times: TimeOptions, records: Iterator[Record]
) -> Iterator[Line]:
    columns = mapping.columns or file.columns
    if missing := missing_columns(mapping, columns):
        raise CommandError(
            f"{file.name} has no column for {missing[0]}: name the columns in its first {file.unit}, or pass a "
            "mapping file with --mapping; see docs/importing.md"
        )
    declared = declared_cells(mapping.types, columns)
    if declared is not None:
        yield from to_lines(records, mapping, times, Table(columns, declared))
        return
    observed = ObservedCells(mapping.types, columns)
    with spooled(records, observed.look) as again:
        yield from to_lines(again, mapping, times, Table(columns, observed.converts()))
