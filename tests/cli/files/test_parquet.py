"""Parquet is read with exact values; what events cannot hold is refused."""

import gzip
import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow
import pytest
from pyarrow import parquet

from tests.cli.files.reading import read

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def packed(**columns: pyarrow.Array) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def test_values_are_exact(tmp_path: Path) -> None:
    content = packed(
        event_id=pyarrow.array(["e-1", "e-2"]),
        big=pyarrow.array([2**63 - 1, None]),
        ratio=pyarrow.array([0.1, float("nan")]),
        price=pyarrow.array([Decimal("1.10"), None]),
        paid=pyarrow.array([True, None]),
        old=pyarrow.array([b"text", None]),
        kind=pyarrow.array(["a", "b"]).dictionary_encode(),
    )
    outcome = read(tmp_path / "events.parquet", content)
    assert outcome.layout == "Parquet"
    assert outcome.columns == ("event_id", "big", "ratio", "price", "paid", "old", "kind")
    first, second = outcome.fields
    assert first == {
        "event_id": "e-1",
        "big": 2**63 - 1,
        "ratio": Decimal("0.1"),
        "price": Decimal("1.10"),
        "paid": True,
        "old": "text",
        "kind": "a",
    }
    assert second == dict.fromkeys(outcome.columns) | {"event_id": "e-2", "kind": "b"}
    assert [record.number for record in outcome.records] == [1, 2]


def test_times_are_texts_with_all_their_digits(tmp_path: Path) -> None:
    content = packed(
        nanoseconds=pyarrow.array([NOON.timestamp() * 10**9 + 512], pyarrow.timestamp("ns", "UTC")),
        here=pyarrow.array([NOON], pyarrow.timestamp("ms", "Europe/Berlin")),
        naive=pyarrow.array([NOON.replace(tzinfo=None)], pyarrow.timestamp("ms")),
        day=pyarrow.array([date(2026, 1, 31)]),
    )
    assert read(tmp_path / "events.parquet", content).fields == [
        {
            "nanoseconds": "2026-01-31 12:00:00.000000512Z",
            "here": "2026-01-31 12:00:00.000Z",
            "naive": "2026-01-31 12:00:00.000",
            "day": "2026-01-31",
        }
    ]


def test_many_rows(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.parquet", packed(id=pyarrow.array(range(2500))))
    assert [(record.number, record.fields) for record in outcome.records][-1] == (2500, {"id": 2499})
    assert len(outcome.records) == 2500


def test_values_that_are_no_text(tmp_path: Path) -> None:
    values = [b"text", b"\xff", None]
    ids = pyarrow.array([UUID(int=number).bytes for number in range(3)], pyarrow.uuid())
    outcome = read(tmp_path / "events.parquet", packed(id=ids, x=pyarrow.array(values)))
    assert outcome.flaws == {2: "x: is not text"}
    assert outcome.records[0].fields == {"id": "00000000-0000-0000-0000-000000000000", "x": "text"}


def test_a_number_that_is_infinite(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.parquet", packed(x=pyarrow.array([1.0, float("inf"), 2.0])))
    assert outcome.flaws == {2: "x: is infinite"}
    assert len(outcome.records) == 3


@pytest.mark.parametrize("values", [[[1, 2]], [{"a": 1}]])
def test_a_nested_column_is_refused_with_the_command_that_sends_it(tmp_path: Path, values: list[object]) -> None:
    path = tmp_path / "events.parquet"
    outcome = read(path, packed(id=pyarrow.array(["1"]), params=pyarrow.array(values)))
    assert outcome.records == []
    assert outcome.error.startswith(f"{path}: the column 'params' is nested: send the rows as NDJSON, with ")
    assert outcome.error.endswith('(FORMAT json)" | leadscore ingest -')
    assert f"duckdb -c \"COPY (FROM '{path}') TO '/dev/stdout' " in outcome.error


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.parquet", packed(**{"id": pyarrow.array(["1"]), "ID ": pyarrow.array(["2"])}))
    assert "the file has the column 'ID' twice, at 1 and 2: rename one of them" in outcome.error


def test_damage(tmp_path: Path) -> None:
    content = bytearray(packed(x=pyarrow.array(map(str, range(100_000)))))
    assert "the Parquet file is damaged (" in read(tmp_path / "a", bytes(content[:-100])).error
    content[400_000:440_000] = b"\xff" * 40_000
    outcome = read(tmp_path / "a", bytes(content))
    assert "the Parquet file is damaged (" in (outcome.error or outcome.damage)


def test_parquet_in_an_archive_is_refused(tmp_path: Path) -> None:
    outcome = read(tmp_path / "a.gz", gzip.compress(packed(id=pyarrow.array(["1"]))))
    assert "Parquet cannot be read from a pipe or an archive: send it as a file of its own" in outcome.error


def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'leadscore[parquet]'" in read(tmp_path / "a.parquet", b"PAR1").error
