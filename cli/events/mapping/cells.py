"""Types of the columns of CSV, whose cells are all text.

A column is a column of numbers if all its cells are numbers as JSON writes them: with leading zeros, a plus sign or
thousands separators they are text, and so are numbers of 2^53 and more, whose last digits would change. It is a column
of booleans if all its cells are `true` or `false`. In both, `null` is null. All other columns are columns of text.
Empty cells say nothing, and are left out.

So a column has one type, and the same data has the same types as CSV and as JSON.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from cli.events.files.records import Record
from shared.mapping.json_values import INEXACT_FROM
from shared.mapping.schema import CellType
from shared.mapping.values import Columns

Convert = Callable[[object], object]
"""Returns the value of a cell. Raises ValueError if the cell is not of the type of its column."""
ALL_OTHERS = "*"
"""Stands in a mapping file for the columns that it does not name."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?([eE][+-]?[0-9]{1,2})?\Z")
_NULLS = {"null", "NULL", "Null"}
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
_DECLARED_BOOLEANS = {**_BOOLEANS, "1": True, "0": False}
_EXACT_DIGITS = 15
"""A number with at most this many digits is certainly below `INEXACT_FROM`."""


def declared_cells(types: Mapping[str, CellType], columns: Sequence[str]) -> dict[str, Convert] | None:
    """Returns how the cells become values if a mapping declares all columns, else None."""
    if ALL_OTHERS not in types:
        return None
    return _converts(dict.fromkeys(columns, types[ALL_OTHERS]) | _declared(types, columns))


class ObservedCells:
    """Finds out the types of the columns that a mapping does not declare. It must see all records of a file."""

    def __init__(self, types: Mapping[str, CellType], columns: Sequence[str]) -> None:
        self._declared = _declared(types, columns)
        self._observed = {column: _Column() for column in columns if column not in self._declared}
        self._undecided = dict(self._observed)

    def look(self, record: Record) -> None:
        """Notes the cells of a record."""
        fields = record.fields or {}
        decided = [
            column for column, seen in self._undecided.items() if column in fields and not seen.take(fields[column])
        ]
        for column in decided:
            del self._undecided[column]

    def converts(self) -> dict[str, Convert]:
        """Returns how the cells become values."""
        return _converts({column: seen.kind() for column, seen in self._observed.items()} | self._declared)


class _Column:
    """What the cells of a column have been so far."""

    def __init__(self) -> None:
        self._kinds = set[CellType]()
        self._has_nulls = False

    def take(self, cell: str) -> bool:
        """Notes a cell, and returns whether the type may still change."""
        if cell in _NULLS:
            self._has_nulls = True
        else:
            self._kinds.add("boolean" if cell in _BOOLEANS else "number" if _is_number(cell) else "text")
        return len(self._kinds) < 2 and "text" not in self._kinds

    def kind(self) -> CellType:
        """Returns the type. In a column of nulls alone, it is of no importance."""
        if len(self._kinds) == 1:
            return next(iter(self._kinds))
        return "number" if self._has_nulls and not self._kinds else "text"


def _declared(types: Mapping[str, CellType], columns: Sequence[str]) -> dict[str, CellType]:
    found = Columns(columns)
    return {column: kind for name, kind in types.items() if (column := found.find(name)) is not None}


def _is_number(cell: str) -> bool:
    found = _NUMBER.match(cell)
    if not found:
        return False
    # Most cells are short, and then too small to be compared.
    return (len(cell) <= _EXACT_DIGITS and found[1] is None) or abs(Decimal(cell)) < INEXACT_FROM


def _converts(kinds: Mapping[str, CellType]) -> dict[str, Convert]:
    return {column: _CONVERTS[kind](column) for column, kind in kinds.items() if kind != "text"}


def _to_number(column: str) -> Convert:
    def convert(cell: object) -> object:
        text = str(cell)
        if text in _NULLS:
            return None
        if not _NUMBER.match(text):
            raise ValueError(f"{column}: is {text!r}, must be a number: declare the column as text in a mapping file")
        return int(text) if text.lstrip("-").isdigit() else Decimal(text)

    return convert


def _to_boolean(column: str) -> Convert:
    def convert(cell: object) -> object:
        text = str(cell)
        if text in _NULLS:
            return None
        if text not in _DECLARED_BOOLEANS:
            raise ValueError(
                f"{column}: is {text!r}, must be true or false: declare the column as text in a mapping file"
            )
        return _DECLARED_BOOLEANS[text]

    return convert


_CONVERTS: dict[CellType, Callable[[str], Convert]] = {"number": _to_number, "boolean": _to_boolean}
