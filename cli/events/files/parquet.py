"""The rows of Parquet. Only `opening` imports this module, when it needs it: pyarrow is in the extra `parquet`."""

import io
import math
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow
from pyarrow import parquet, types

from cli.events.files.records import Record, Unreadable, check_columns

_ROWS = 1000
_BUFFER_BYTES = 1024 * 1024
_ERRORS = (pyarrow.ArrowException, OSError, UnicodeDecodeError)


class ParquetRows:
    """The rows of a Parquet file. Times are text, in UTC if they have a time zone; NaN is null.

    Attributes:
        columns: Their names, without the spaces around them.

    Raises:
        Unreadable: The file is damaged, or a column is nested. When iterated: a part of it is damaged.
    """

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        try:
            # With its defaults, pyarrow reads all rows of a group at once.
            self._file = parquet.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        except _ERRORS as error:
            raise _damaged(error) from None
        schema = self._file.schema_arrow
        _check_types(schema, name)
        self.columns = tuple(column.strip() for column in schema.names)
        check_columns(self.columns, "the file")
        self._in_utc = pyarrow.schema([(column.name, _in_utc(column.type)) for column in schema])
        self._plain = pyarrow.schema([(column.name, _plain_type(column.type)) for column in schema])

    def __iter__(self) -> Iterator[Record]:
        number = 0
        try:
            for batch in self._file.iter_batches(_ROWS):
                for row in batch.cast(self._in_utc).cast(self._plain).to_pylist():
                    number += 1
                    yield _record(number, dict(zip(self.columns, row.values(), strict=True)))
        except _ERRORS as error:
            raise _damaged(error) from None


def _check_types(schema: pyarrow.Schema, name: str) -> None:
    for column in schema:
        if types.is_nested(column.type):
            raise Unreadable(
                f"the column {column.name!r} is nested: send the rows as NDJSON, with "
                f"""duckdb -c "COPY (FROM '{name}') TO '/dev/stdout' (FORMAT json)" | leadscore ingest -"""
            )


def _in_utc(kind: pyarrow.DataType) -> pyarrow.DataType:
    return pyarrow.timestamp(kind.unit, "UTC") if types.is_timestamp(kind) and kind.tz else kind


def _plain_type(kind: pyarrow.DataType) -> pyarrow.DataType:
    if types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    return pyarrow.string() if types.is_temporal(kind) and not types.is_duration(kind) else kind


def _record(number: int, values: dict[str, Any]) -> Record:
    for column, value in values.items():
        if convert := _CONVERSIONS.get(type(value)):
            try:
                values[column] = convert(value)
            except ValueError as error:
                return Record(number, None, f"{column}: {error}")
    return Record(number, values)


def _from_float(value: float) -> Decimal | None:
    if math.isinf(value):
        raise ValueError("is infinite")
    return None if math.isnan(value) else Decimal(repr(value))


def _from_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("is not text") from None


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    float: _from_float,
    bytes: _from_bytes,  # text written by old programs
    UUID: str,
    timedelta: str,
}


def _damaged(error: Exception) -> Unreadable:
    first_line = str(error).partition("\n")[0]
    return Unreadable(f"the Parquet file is damaged ({first_line}): get an intact copy, and send all of it again")
