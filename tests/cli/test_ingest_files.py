"""A bad file is one line that says where and why. What it had before stays, and the repaired file completes it."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from cli.events.files import archives
from cli.events.files.records import MAX_RECORD
from shared import wire
from tests.cli.test_ingest import serving
from tests.cli.test_ingest_command import run

NOW = wire.now().isoformat()
ROWS: list[dict[str, Any]] = [
    {"event_id": f"e-{number}", "lead_id": "ada", "event_type": "signup", "event_time": NOW, "note": f"n{number}"}
    for number in range(1, 1201)
]
ALL = {row["event_id"] for row in ROWS}
NDJSON = [json.dumps(row).encode() for row in ROWS]
CSV = [",".join(row).encode() for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]]


def lines(content: list[bytes]) -> bytes:
    return b"\n".join(content)


def replaced(content: list[bytes], index: int, line: bytes) -> bytes:
    return lines([*content[:index], line, *content[index + 1 :]])


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def zipped(*contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.csv", content)
    return file.getvalue()


def nested() -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"event_id": ["1"], "params": [[1, 2]]}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            replaced(CSV, 0, CSV[0].replace(b"note", b"Event ID")),
            "line 1 has the column 'Event ID' twice, at 1 and 5: ",
        ),
        (
            zipped(lines(CSV), b""),
            "the zip holds 2 files, and exactly one is expected: send each of them, with unzip -p",
        ),
        (zipped(lines(CSV) + b"\n" * 9_000_000), "it expands to more than 500 times its size"),
        (gzip.compress(CSV[0] + b"y" * 9_000_000), "line 1 does not end within 65,536 characters"),
        (gzip.compress(lines(CSV))[:20], "the gzip data ends early: get a complete copy, and send all of it again"),
        (replaced(CSV, 1, "e-1,Hélène".encode("cp1252")), "if that is right, add --encoding cp1252"),
        (nested(), "the column 'params' is nested: send the rows as NDJSON, with duckdb -c "),
        (b"\x28\xb5\x2f\xfd", "it looks like a Zstandard file, but events are expected as CSV, NDJSON, "),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, line: str
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1024 * 1024)
    (file := tmp_path / "events").write_bytes(content)
    with serving() as (service, connection):
        result = run(connection.base_port, file)
    assert str(result.exception).startswith(f"{file}: ")
    assert line in str(result.exception)
    assert "\n" not in str(result.exception)
    assert (result.exit_code, service.ids) == (1, set())


@pytest.mark.parametrize(
    ("content", "number", "flaw", "kept"),
    [
        (replaced(CSV, 900, b'e-900,"ada,signup'), 901, "is not CSV: ", 899),
        (
            replaced(CSV, 900, b"y," * MAX_RECORD),
            901,
            f"is not CSV: the row is longer than {MAX_RECORD:,} characters",
            1199,
        ),
        (replaced(NDJSON, 899, b'{"x": "' + b"y" * MAX_RECORD), 900, f"is longer than {MAX_RECORD:,} bytes", 1199),
        (
            b"[" + b",".join([*NDJSON[:900], b"{,"]),
            901,
            "cannot be read, and neither can what follows: the next value is not JSON",
            900,
        ),
        (
            b"[" + b",".join(NDJSON[:900]),
            901,
            "cannot be read, and neither can what follows: the text is not JSON: ',' or ']'",
            900,
        ),
        (
            gzip.compress(lines(NDJSON))[:-2],
            1200,
            "cannot be read, and neither can what follows: the gzip data ends early",
            1199,
        ),
    ],
)
def test_what_was_read_stays_and_the_repaired_file_completes_it(
    tmp_path: Path, content: bytes, number: int, flaw: str, kept: int
) -> None:
    (file := tmp_path / "events").write_bytes(content)
    with serving() as (service, connection):
        result = run(connection.base_port, file)
        assert result.exit_code == 1
        assert len(service.ids) == kept
        assert result.stdout.splitlines()[-1].startswith(
            f"  {'item' if content[:1] == b'[' else 'line'} {number}: {flaw}"
        )
        file.write_bytes(lines(NDJSON))
        again = run(connection.base_port, file)
    assert again.stdout.startswith(f"{len(ALL) - kept:,} accepted, {kept:,} duplicate, 0 in conflict, 0 rejected in ")
    assert (again.exit_code, service.ids) == (0, ALL)


def test_a_damaged_gzip_keeps_what_comes_before_the_damage(tmp_path: Path) -> None:
    (file := tmp_path / "events.gz").write_bytes(damaged(gzip.compress(lines(NDJSON))))
    with serving() as (service, connection):
        result = run(connection.base_port, file)
    assert "cannot be read, and neither can what follows: the gzip data " in result.stdout
    assert 100 < len(service.ids) < len(ALL)
    assert result.exit_code == 1


def test_the_flaw_that_ends_a_file_is_shown_after_many_others(tmp_path: Path) -> None:
    (file := tmp_path / "events.gz").write_bytes(gzip.compress(lines([b'{"x"'] * 20 + NDJSON))[:-2])
    with serving() as (service, connection):
        result = run(connection.base_port, file)
    flaws = [line for line in result.stdout.splitlines() if line.startswith("  line ")]
    assert len(flaws) == 10
    assert flaws[-1].startswith("  line 1220: cannot be read, and neither can what follows: the gzip data ends early")
    assert len(service.ids) == 1199
