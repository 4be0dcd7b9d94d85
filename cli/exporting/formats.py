"""The formats of exports: NDJSON, CSV and Parquet."""

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import IO, Any

from google.protobuf.timestamp_pb2 import Timestamp

from cli.exporting.tables import Column, Kind
from cli.terminal.connection import CommandError

ROWS_AT_ONCE = 10_000
"""Rows of a row group of Parquet; also the most rows that are held in memory."""

Rows = Iterable[Any]
Writer = Callable[[Rows, Sequence[Column], IO[bytes]], None]
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_ndjson(rows: Rows, columns: Sequence[Column], stream: IO[bytes]) -> None:
    """Writes one JSON object per line, with every column; times are RFC 3339 in UTC."""
    for row in rows:
        values = {column.name: _plain(column.read(row)) for column in columns}
        stream.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")


def write_csv(rows: Rows, columns: Sequence[Column], stream: IO[bytes]) -> None:
    """Writes CSV in UTF-8 with a header. Objects and lists are JSON; an empty cell means no value.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP recommends against CSV
    injection. The other formats leave it unchanged.
    """
    text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(column.name for column in columns)
    writer.writerows([_cell(column, column.read(row)) for column in columns] for row in rows)
    text.detach()  # the owner of the stream closes it


def write_parquet(rows: Rows, columns: Sequence[Column], stream: IO[bytes]) -> None:
    """Writes Parquet, compressed with zstd. Times are timestamps in UTC; objects and lists are JSON as text.

    Raises:
        CommandError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise CommandError("Parquet needs pyarrow: pip install 'leadscore[parquet]'")
    import pyarrow
    from pyarrow import parquet

    types = {
        Kind.TEXT: pyarrow.string(),
        Kind.INTEGER: pyarrow.int64(),
        Kind.NUMBER: pyarrow.float64(),
        Kind.BOOLEAN: pyarrow.bool_(),
        Kind.TIME: pyarrow.timestamp("ms", "UTC"),
        Kind.DATE: pyarrow.date32(),
        Kind.JSON: pyarrow.string(),
    }
    schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        for group in _groups(rows):
            arrays = [[_typed(column, column.read(row)) for row in group] for column in columns]
            writer.write_table(pyarrow.table(arrays, schema=schema))


FORMATS: dict[str, Writer] = {"ndjson": write_ndjson, "csv": write_csv, "parquet": write_parquet}
"""By name, which is also the extension of the file."""


def _groups(rows: Rows) -> Iterator[list[Any]]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_AT_ONCE)):
        yield group


def _plain(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    return value.ToJsonString() if isinstance(value, Timestamp) else value


def _cell(column: Column, value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    if value is None or column.kind in (Kind.INTEGER, Kind.NUMBER):
        return value
    text = json.dumps(value, ensure_ascii=False) if column.kind in (Kind.JSON, Kind.BOOLEAN) else _plain(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _typed(column: Column, value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    match column.kind:
        case Kind.TIME if value is not None:
            return value.ToMilliseconds()
        case Kind.DATE if value is not None:
            return date.fromisoformat(value)
        case Kind.JSON if value is not None:
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value
