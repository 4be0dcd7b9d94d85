"""Files of events: NDJSON or CSV, plain or gzip, read line by line so that memory stays flat.

A line becomes an event or a flaw, never an exception: one that is malformed harms no other. What an event must hold is
for the ingest service to judge; here it is only made.
"""

import _csv
import codecs
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

from leadscore.ingest.v1 import ingest_pb2 as pb

from cli.terminal.connection import CommandError
from shared import wire

LINE_BYTES = 1024 * 1024
"""Longest line of NDJSON; the ingest service takes no longer message."""
MAX_LEVELS = 20
"""Deeper properties are beyond what protobuf can parse, and would cost their whole batch."""
FIRST_MILLISECONDS = 100_000_000_000
"""A number from here on is milliseconds since 1970, a smaller one seconds: 1973 on the one scale, 5138 on the other."""

_TIMES = ("occurred_at", "event_time", "timestamp")
_TEXTS = ("event_id", "lead_id", "event_type", "source")
_FIELDS = {*_TEXTS, *_TIMES, "properties"}
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, counted from 1: either an event, or the flaw that keeps it from being one."""

    number: int
    event: pb.Event | None
    flaw: str | None


def read_events(path: Path | None) -> Iterator[Line]:
    """Yields the lines of a file, or of standard input; blank ones are left out.

    Fields and columns that are not known become properties, so nothing is dropped.

    Raises:
        CommandError: It cannot be read, or is a CSV without the columns that it needs.
    """
    name = str(path) if path else "standard input"
    try:
        with path.open("rb") if path else sys.stdin.buffer as raw:
            stream = _unpacked(raw)
            yield from _csv_lines(stream, name) if _is_csv(path, stream) else _json_lines(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CommandError(f"{name} is a damaged gzip file: mend it and send all of it again") from None
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from None


def to_time(value: object) -> datetime:
    """Returns a time given as RFC 3339 (UTC when it names no zone) or as seconds or milliseconds since 1970.

    Raises:
        ValueError: It is neither, or a text of eight digits, which may be either.
    """
    if isinstance(value, str):
        if _may_be_a_date(value):
            raise ValueError(f"{value!r} is no time: write a date as 2026-01-31, seconds as 20260131.0")
        try:
            return _from_number(float(value))
        except ValueError:
            return _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no time")  # noqa: TRY004 (a flaw of the data, not of the program)
    return _from_number(value)


def _may_be_a_date(text: str) -> bool:
    # As a number, ISO's other way to write a date would be a day in 1970, without a word.
    digits = text.strip().replace("_", "")
    return len(digits) == len("20260131") and digits.isdigit()


def _from_number(number: float) -> datetime:
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= FIRST_MILLISECONDS else number, UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"{number!r} is no time") from None


def _from_text(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time such as 2026-01-31T12:00:00Z") from None


def _unpacked(raw: IO[bytes]) -> io.BufferedReader:
    # Both an open file and standard input are buffered readers, though their declared types do not say so.
    buffered = cast("io.BufferedReader", raw)
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered), LINE_BYTES)
    return buffered


def _is_csv(path: Path | None, stream: io.BufferedReader) -> bool:
    suffixes = path.suffixes if path else []
    if ".csv" in suffixes:
        return True
    if {".json", ".jsonl", ".ndjson"} & set(suffixes):
        return False
    first = stream.peek(LINE_BYTES).removeprefix(codecs.BOM_UTF8).lstrip().split(b"\n", 1)[0]
    return not first.startswith(b"{") and b"event_id" in first


def _json_lines(stream: io.BufferedReader) -> Iterator[Line]:
    number = 0
    while text := stream.readline(LINE_BYTES):
        number += 1
        if len(text) == LINE_BYTES and not text.endswith(b"\n"):
            while (rest := stream.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield Line(number, None, f"is longer than {LINE_BYTES:,} bytes")
        elif not text.isspace():
            yield _json_line(number, text.removeprefix(codecs.BOM_UTF8) if number == 1 else text)


def _json_line(number: int, text: bytes) -> Line:
    try:
        row = json.loads(text.decode())  # of bytes it would guess the encoding
    except json.JSONDecodeError as error:
        return Line(number, None, f"is not JSON: {error.msg} at character {error.pos + 1}")
    except UnicodeDecodeError:
        return Line(number, None, "is not UTF-8")
    except RecursionError:
        return Line(number, None, "is nested too deep")
    except ValueError:
        return Line(number, None, "has a number that is too long")
    if not isinstance(row, dict):
        return Line(number, None, "is not a JSON object")
    return _line(number, row)


def _csv_lines(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    # What is not UTF-8 becomes surrogates, which protobuf refuses: a flaw of that line alone.
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        # Not strict, it would take all that follows an open quote for one cell, without a word.
        yield from _rows(csv.reader(text, strict=True), name)
    finally:
        text.detach()  # the stream is its owner's to close


def _rows(rows: "_csv.Reader", name: str) -> Iterator[Line]:
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise CommandError(f"the first line of {name} is not CSV: {error}") from None
    missing = [column for column in ("event_id", "lead_id", "event_type") if column not in header]
    if missing or not set(_TIMES) & set(header):
        raise CommandError(f"{name} has no column {(missing or _TIMES)[0]}: its first line must name the columns")
    while True:
        begin = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            span = f", from line {begin} on" if begin < rows.line_num else ""
            yield Line(rows.line_num, None, f"is not CSV{span}: {error}")
            continue
        if cells is None:
            return
        if len(cells) > len(header):
            yield Line(rows.line_num, None, f"has {len(cells)} cells, but there are {len(header)} columns")
        elif cells:
            yield _csv_line(rows.line_num, dict(zip(header, cells, strict=False)))


def _csv_line(number: int, cells: dict[str, str]) -> Line:
    row: dict[str, Any] = {column: cell for column, cell in cells.items() if cell}
    try:
        if "properties" in row:
            row["properties"] = json.loads(row["properties"])
    except (ValueError, RecursionError):
        return Line(number, None, "properties: is not JSON")
    return _line(number, row)


def _line(number: int, row: Mapping[str, Any]) -> Line:
    try:
        return Line(number, _event(row), None)
    except UnicodeEncodeError:
        return Line(number, None, "is not UTF-8")
    except OverflowError:
        return Line(number, None, "has a number that is too large")
    except ValueError as flaw:
        return Line(number, None, str(flaw))


def _event(row: Mapping[str, Any]) -> pb.Event:
    texts = {field: row[field] for field in _TEXTS if field in row and row[field] is not None}
    for field, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{field}: is not text")  # noqa: TRY004 (a flaw of the data, not of the program)
    event = pb.Event(**texts, properties=_properties(row))
    given = next((row[field] for field in _TIMES if row.get(field) is not None), None)
    if given is not None:
        try:
            event.event_time.CopyFrom(wire.to_timestamp(to_time(given)))
        except ValueError as error:
            raise ValueError(f"event_time: {error}") from None
    return event


def _properties(row: Mapping[str, Any]) -> dict[str, Any]:
    properties = row.get("properties") or {}
    if not isinstance(properties, dict):
        raise ValueError("properties: is not an object")  # noqa: TRY004 (a flaw of the data, not of the program)
    unknown = row.keys() - _FIELDS
    if unknown:
        properties = {field: row[field] for field in sorted(unknown)} | properties
    if _is_too_deep(properties, MAX_LEVELS):
        raise ValueError(f"properties: nested deeper than {MAX_LEVELS} levels")
    return properties


def _is_too_deep(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return levels < 0 or any(_is_too_deep(item, levels - 1) for item in _items(value))


def _items(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value)
