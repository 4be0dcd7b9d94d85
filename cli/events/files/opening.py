"""Opening a file of events, whatever its format is."""

import importlib.util
import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import cast

from cli.events.files.archives import unpacked
from cli.events.files.csv_layout import csv_layout
from cli.events.files.csv_rows import csv_rows
from cli.events.files.encodings import as_utf8
from cli.events.files.formats import check_format
from cli.events.files.json_documents import has_lines, has_list, json_documents
from cli.events.files.json_lines import json_lines
from cli.events.files.records import EventFile, Record, Unreadable
from cli.terminal.connection import CommandError

_PARQUET_MAGIC = b"PAR1"
_SAMPLE = 20
"""How many objects of JSON are examined to detect the columns."""


@contextmanager
def open_events(path: Path | None, encoding: str | None = None) -> Iterator[EventFile]:
    """Opens a file and detects its format. Without a path, it opens standard input.

    Args:
        path: The file.
        encoding: Its encoding; if None, it is detected.

    Raises:
        CommandError: The file cannot be read. The text says what it looks like, what was expected, and which command
            helps.
    """
    name = str(path) if path else "standard input"
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb")) if path else sys.stdin.buffer
            # An open file and standard input are both buffered readers, although their declared types do not say so.
            events = _opened(cast("io.BufferedReader", file), name, encoding)
        except Unreadable as error:
            raise CommandError(f"{name}: {error}") from None
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}") from None
        yield events


def _opened(file: io.BufferedReader, name: str, encoding: str | None) -> EventFile:
    content, archives = unpacked(file, name)
    head = content.peek()
    check_format(head, name)
    if head.startswith(_PARQUET_MAGIC):
        return _parquet(file, name, is_file=not archives and file.seekable())
    text, encoding = as_utf8(content, encoding)
    wrapping = "".join(f", in {each}" for each in (encoding, *archives) if each != "UTF-8")
    is_json = text.peek().lstrip().startswith((b"{", b"["))
    return (_json if is_json else _csv)(text, name, wrapping)


def _csv(text: io.BufferedReader, name: str, wrapping: str) -> EventFile:
    layout = csv_layout(text.peek().decode("utf-8", "surrogateescape"))
    return EventFile(
        name,
        f"{layout}{wrapping}",
        "line",
        layout.header,
        typed=False,
        read=lambda names: csv_rows(_decoded(text), layout, names),
    )


def _json(text: io.BufferedReader, name: str, wrapping: str) -> EventFile:
    beginning = text.peek().decode("utf-8", "replace").lstrip()
    is_wrapped = beginning.startswith("{") and has_list(beginning)
    if is_wrapped or not has_lines(beginning):
        documents = json_documents(_decoded(text), wrapped=is_wrapped)
        sample, records = _looked_ahead(documents)
        return EventFile(name, f"JSON{wrapping}", "item", _keys(sample), typed=True, read=lambda _: records)
    sample, records = _looked_ahead(json_lines(text))
    return EventFile(name, f"NDJSON{wrapping}", "line", _keys(sample), typed=True, read=lambda _: records)


def _decoded(text: io.BufferedReader) -> io.TextIOWrapper:
    # Invalid bytes become surrogates, so that only their line or item has a flaw.
    return io.TextIOWrapper(text, "utf-8", errors="surrogateescape", newline="")


def _parquet(file: io.BufferedReader, name: str, *, is_file: bool) -> EventFile:
    if importlib.util.find_spec("pyarrow") is None:
        raise Unreadable("it is Parquet, which needs pyarrow: pip install 'leadscore[parquet]'")
    if not is_file:
        raise Unreadable("Parquet cannot be read from a pipe or an archive: send it as a file of its own")
    from cli.events.files.parquet import ParquetRows

    rows = ParquetRows(file, name)
    return EventFile(name, "Parquet", "row", rows.columns, typed=True, read=lambda _: iter(rows))


def _looked_ahead(records: Iterator[Record]) -> tuple[list[Record], Iterator[Record]]:
    """Returns the first records, and an iterator of all of them, in which an error comes at its place."""
    sample = list[Record]()
    try:
        sample.extend(islice(records, _SAMPLE))
    except Unreadable as error:
        if not sample:
            raise
        return sample, chain(sample, _raise(error))
    return sample, chain(sample, records)


def _raise(error: Unreadable) -> Iterator[Record]:
    raise error
    yield


def _keys(sample: list[Record]) -> tuple[str, ...]:
    keys = dict[str, None]()
    for record in sample:
        for key, value in (record.fields or {}).items():
            keys[key] = None
            keys |= dict.fromkeys(f"{key}.{inner}" for inner in value) if isinstance(value, dict) else {}
    return tuple(keys)
