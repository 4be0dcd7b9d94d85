"""What a file of events contains: columns, and records with the fields of one event each.

What the fields mean is not decided here: a mapping turns them into events.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from cli.terminal.connection import CommandError
from shared.mapping.values import column_key

MAX_RECORD = 1024 * 1024
"""Longest line, row or item that is read, in bytes or characters; the ingest service accepts no longer message."""

Fields = dict[str, Any]
"""The values of a record by column.

The cells of CSV are text without the spaces around it; empty ones are left out. Other files have the types of JSON:
text, bool, None, lists, objects, whole numbers as int of any size, other numbers as Decimal with the digits of the
file. All numbers are finite, and a double can represent the magnitude of each Decimal.
"""


class Record(NamedTuple):
    """One line, item or row of a file, counted from 1: its fields, or the flaw that explains why it has none."""

    number: int
    fields: Fields | None
    flaw: str | None = None


class Unreadable(Exception):
    """From here on a file cannot be read. The text is a clause that says why, and what to do."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """An open file of events.

    Attributes:
        name: What errors call the file.
        layout: What the file looks like, for people: `CSV separated by semicolons, in UTF-16`.
        unit: What the numbers of its records count.
        columns: The header of CSV and the columns of Parquet, without the spaces around them. For JSON, the keys of the
            first objects, and those of the objects in them, as `properties.plan`.
        typed: Whether the values have types. Those of CSV are all text.
        read: Yields what `records` does, with errors that know neither file nor place.
    """

    name: str
    layout: str
    unit: Literal["line", "item", "row"]
    columns: tuple[str, ...]
    typed: bool
    read: Callable[[Sequence[str] | None], Iterator[Record]]

    def records(self, names: Sequence[str] | None = None) -> Iterator[Record]:
        """Yields the records, which can be read once. If the rest cannot be read, the last record has that as its flaw.

        Args:
            names: The names of the columns of a CSV file that has no header: its first row is then a record, and
                quotation marks have no meaning, as in the TSV of Snowplow.

        Raises:
            CommandError: No record can be read, because the header has a column twice, or there is damage.
        """
        number = 0
        try:
            for record in self.read(names):
                number = record.number
                yield record
        except (Unreadable, OSError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            if not number:
                raise CommandError(f"{self.name}: {reason}") from None
            yield Record(number + 1, None, f"cannot be read, and neither can what follows: {reason}")


def check_columns(names: Sequence[str], where: str) -> None:
    """Checks that each column can be told from the others; columns without a name need not be.

    Raises:
        Unreadable: Two columns have the same key.
    """
    places = dict[str, int]()
    for place, name in enumerate(names, 1):
        earlier = places.setdefault(column_key(name), place) if name else place
        if earlier != place:
            raise Unreadable(f"{where} has the column {name!r} twice, at {earlier} and {place}: rename one of them")
