"""The rows of Parquet. Only `opening` imports this module, when it needs it: pyarrow is in the extra `parquet`."""

import io
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow
from pyarrow import parquet, types

from cli.events.files.records import Record, Unreadable, check_columns

_ROWS = 1000
_BUFFER_BYTES = 1024 * 1024
_ERRORS = (pyarrow.ArrowException, OSError)


class ParquetRows:
    """The rows of a Parquet file. Times are texts, those with a time zone in UTC; NaN is null.

    Attributes:
        columns: Their names, without the blanks around them.

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
    is_text = types.is_binary(kind) or types.is_large_binary(kind) or types.is_temporal(kind)
    return pyarrow.string() if is_text and not types.is_duration(kind) else kind


def _record(number: int, values: dict[str, Any]) -> Record:
    for column, value in values.items():
        if isinstance(value, float):
            if math.isinf(value):
                return Record(number, None, f"{column}: is infinite")
            values[column] = None if math.isnan(value) else Decimal(repr(value))
    return Record(number, values)


def _damaged(error: Exception) -> Unreadable:
    first_line = str(error).partition("\n")[0]
    return Unreadable(f"the Parquet file is damaged ({first_line}): get it again, and send all of it again")
