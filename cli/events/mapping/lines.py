"""Turns the records of a file into lines: an event, or the flaw that prevents a record from being one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cli.events.files.records import Record
from cli.events.lines import Line
from cli.events.mapping.cells import Convert
from shared.mapping.converting import Converter
from shared.mapping.schema import MappingFile
from shared.mapping.times.readers import TimeOptions
from shared.mapping.values import Fields


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, and how the cells of some of them become values."""

    columns: Sequence[str]
    cells: Mapping[str, Convert] = field(default_factory=dict)

    def typed(self, fields: Fields) -> Fields:
        """Returns the fields of a record with typed cells."""
        typed = dict(fields)
        for column, convert in self.cells.items():
            if column in typed:
                typed[column] = convert(typed[column])
        return typed


def to_lines(
    records: Iterable[Record], mapping: MappingFile, options: TimeOptions, table: Table | None
) -> Iterator[Line]:
    """Yields a line for each event of a record, or for its flaw.

    `table` is None for a file whose fields are found by their exact names.
    """
    converter = Converter(mapping, options, None if table is None else table.columns)
    for number, fields, flaw in records:
        if fields is None:
            yield Line(number, None, flaw)
            continue
        try:
            events = converter.events(fields, table.typed(fields) if table and table.cells else fields)
        except ValueError as error:
            yield Line(number, None, str(error))
        else:
            yield from (Line(number, event, None) for event in events)
            if not events:
                yield Line(number, None, "matches none of the events in the mapping")
