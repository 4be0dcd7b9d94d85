"""Reading files of events: NDJSON or CSV, plain or gzip, line by line, so that memory use does not grow.

A malformed line becomes a `Line` with a flaw, never an exception, and does not affect other lines.
"""

import codecs
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from cli.events.csv_lines import csv_lines
from cli.events.lines import Line, to_line
from cli.terminal.connection import CommandError

MAX_LINE_BYTES = 1024 * 1024
"""Longest line of NDJSON; the ingest service accepts no longer message."""

_GZIP_MAGIC = b"\x1f\x8b"


def read_events(path: Path | None) -> Iterator[Line]:
    """Yields the lines of a file, or of standard input if there is no path. Blank lines are skipped.

    Unknown fields and columns become properties, so nothing is dropped.

    Raises:
        CommandError: The file cannot be read, or is a CSV file without the required columns.
    """
    name = str(path) if path else "standard input"
    try:
        with path.open("rb") if path else sys.stdin.buffer as raw:
            stream = _decompressed(raw)
            yield from csv_lines(stream, name) if _is_csv(path, stream) else _json_lines(stream)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CommandError(f"{name} is a damaged gzip file: repair it and send all of it again") from None
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from None


def _decompressed(raw: IO[bytes]) -> io.BufferedReader:
    # An open file and standard input are both buffered readers, although their declared types do not say so.
    buffered = cast("io.BufferedReader", raw)
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered), MAX_LINE_BYTES)
    return buffered


def _is_csv(path: Path | None, stream: io.BufferedReader) -> bool:
    suffixes = path.suffixes if path else []
    if ".csv" in suffixes:
        return True
    if {".json", ".jsonl", ".ndjson"} & set(suffixes):
        return False
    first = stream.peek(MAX_LINE_BYTES).removeprefix(codecs.BOM_UTF8).lstrip().split(b"\n", 1)[0]
    return not first.startswith(b"{") and b"event_id" in first


def _json_lines(stream: io.BufferedReader) -> Iterator[Line]:
    number = 0
    while text := stream.readline(MAX_LINE_BYTES):
        number += 1
        if len(text) == MAX_LINE_BYTES and not text.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield Line(number, None, f"is longer than {MAX_LINE_BYTES:,} bytes")
        elif not text.isspace():
            yield _json_line(number, text.removeprefix(codecs.BOM_UTF8) if number == 1 else text)


def _json_line(number: int, text: bytes) -> Line:
    try:
        row = json.loads(text.decode())  # given bytes, it would guess the encoding
    except json.JSONDecodeError as error:
        return Line(number, None, f"is not JSON: {error.msg} at character {error.pos + 1}")
    except UnicodeDecodeError:
        return Line(number, None, "is not UTF-8")
    except RecursionError:
        return Line(number, None, "is nested too deeply")
    except ValueError:
        return Line(number, None, "has a number that is too long")
    if not isinstance(row, dict):
        return Line(number, None, "is not a JSON object")
    return to_line(number, row)
