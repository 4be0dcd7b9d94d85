"""What a file of events contains: columns, and records with the fields of one event each.

What the fields mean is not decided here: a mapping turns them into events.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Fields = dict[str, Any]
"""The values of a record by column.

The cells of CSV are texts without the blanks around them; empty ones are left out. Other files have the types of JSON:
text, bool, None, lists, objects, whole numbers as int of any size, other numbers as Decimal with the digits of the
file. All numbers are finite, and a double can represent the magnitude of each Decimal.
"""


class Record(NamedTuple):
    """One line, item or row of a file, counted from 1: its fields, or the flaw because of which it has none."""

    number: int
    fields: Fields | None
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class EventFile:
    """An open file of events.

    Attributes:
        name: What errors call the file.
        layout: What the file looks like, for people: `CSV separated by semicolons, in UTF-16`.
        unit: What the numbers of its records count.
        columns: The header of CSV and the columns of Parquet, without the blanks around them. Of JSON the keys of the
            first object, and those of the objects in it, as `properties.plan`.
        typed: Whether the values have types. Those of CSV are all texts.
        read: Reads the records, once; see `records`.
    """

    name: str
    layout: str
    unit: Literal["line", "item", "row"]
    columns: tuple[str, ...]
    typed: bool
    read: Callable[[Sequence[str] | None], Iterator[Record]]

    def records(self, names: Sequence[str] | None = None) -> Iterator[Record]:
        """Yields the records, which can be read once.

        Args:
            names: The names of the columns of a CSV file that has no header: its first row is then a record, and
                quotation marks have no meaning, as in the TSV of Snowplow.

        Raises:
            CommandError: The header names a column twice, or the rest of the file cannot be read.
        """
        return self.read(names)


def column_key(name: str) -> str:
    """Returns what two names of one column have in common: letter case, blanks and underscores do not matter."""
    return "".join(name.split()).replace("_", "").casefold()
