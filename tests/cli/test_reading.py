"""Files become events, and malformed lines do not affect others."""

import gzip
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.events.lines import MAX_LEVELS, Line
from cli.events.reading import MAX_LINE_BYTES, read_events
from cli.events.times import to_time
from cli.terminal.connection import CommandError
from shared import wire

ROW: dict[str, Any] = {
    "lead_id": "ada",
    "event_id": "ada-1",
    "event_type": "signup",
    "occurred_at": "2026-01-31T12:00:00.250Z",
    "properties": {"plan": "pro", "seats": 3, "tags": ["a", None, True]},
    "source": "website",
}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def read(path: Path, content: bytes) -> list[Line]:
    path.write_bytes(content)
    return list(read_events(path))


def flaw_of(tmp_path: Path, text: bytes) -> str:
    """Returns the flaw of a line between two valid ones."""
    valid = [json.dumps(ROW | {"event_id": event_id}).encode() for event_id in ("before", "after")]
    before, flawed, after = read(tmp_path / "events.jsonl", b"\n".join((valid[0], text, valid[1])))
    assert before.event is not None
    assert before.event.event_id == "before"
    assert after.event is not None
    assert (after.number, after.event.event_id) == (3, "after")
    assert (flawed.number, flawed.event) == (2, None)
    assert flawed.flaw is not None
    return flawed.flaw


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz", "events"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_ndjson_is_recognised_plain_or_gzip_under_any_name(tmp_path: Path, name: str, pack: Any, mark: bytes) -> None:
    (line,) = read(tmp_path / name, pack(mark + json.dumps(ROW).encode() + b"\n\n"))
    event = line.event
    assert event is not None
    assert (event.lead_id, event.event_id, event.event_type, event.source) == ("ada", "ada-1", "signup", "website")
    assert wire.to_time(event.event_time) == NOON.replace(microsecond=250_000)
    assert wire.to_dict(event.properties) == ROW["properties"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BufferedReader(io.BytesIO(gzip.compress(json.dumps(ROW).encode())))
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": packed}))
    (line,) = read_events(None)
    assert line.event is not None
    assert line.event.event_id == "ada-1"


@pytest.mark.parametrize("field", ["occurred_at", "event_time", "timestamp"])
def test_the_time_field_has_three_names(tmp_path: Path, field: str) -> None:
    row = {key: value for key, value in ROW.items() if key != "occurred_at"} | {field: "2026-01-31T12:00:00"}
    (line,) = read(tmp_path / "events.jsonl", json.dumps(row).encode())
    assert line.event is not None
    assert wire.to_time(line.event.event_time) == NOON


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31 12:00:00",
        NOON.timestamp(),
        int(NOON.timestamp()) * 1000,
        str(int(NOON.timestamp())),
        str(int(NOON.timestamp()) * 1000),
    ],
)
def test_times(value: object) -> None:
    assert to_time(value) == NOON


@pytest.mark.parametrize(
    "value", ["yesterday", "", "nan", "inf", float("nan"), 1e300, True, [], "0001-01-01T00:00+14:00"]
)
def test_what_is_not_a_time(value: object) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        to_time(value)


@pytest.mark.parametrize("value", ["20260131", " 20260131", "2026_01_31", "12345678"])
def test_eight_digits_are_refused_because_they_may_be_a_date(value: str) -> None:
    with pytest.raises(ValueError, match=r"write a date as 2026-01-31, or seconds as 20260131\.0") as caught:
        to_time(value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["20260131.0", 20260131, "020260131"])
def test_seconds_of_1970_can_be_given(value: object) -> None:
    assert to_time(value) == datetime(1970, 8, 23, 11, 48, 51, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\xff", "is not UTF-8"),
        (b"[1]", "is not a JSON object"),
        (b'{"lead_id": 5}', "lead_id: is not text"),
        (b'{"lead_id": "\\ud800"}', "is not UTF-8"),
        (b'{"properties": [1]}', "properties: is not an object"),
        (b'{"timestamp": "soon"}', "event_time: 'soon' is not a time"),
        (b'{"timestamp": "20260131"}', "event_time: '20260131' is not a time: write a date as 2026-01-31"),
        (b'{"properties": {"a": 1' + b"0" * 400 + b"}}", "has a number that is too large"),
        (b'{"properties": {"a": 1' + b"0" * 5000 + b"}}", "has a number that is too long"),
        (b'{"timestamp": 1' + b"0" * 400 + b"}", "event_time: "),
        (b'{"properties": {"a": ' + b"[" * 30 + b"]" * 30 + b"}}", f"deeper than {MAX_LEVELS} levels"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"x": "' + b"y" * 3 * MAX_LINE_BYTES + b'"}', "is longer than"),
    ],
)
def test_a_malformed_line_does_not_affect_others(tmp_path: Path, text: bytes, flaw: str) -> None:
    assert flaw in flaw_of(tmp_path, text)


def test_fields_that_only_the_service_validates_are_sent_unchanged(tmp_path: Path) -> None:
    (line,) = read(tmp_path / "events.jsonl", b'{"event_id": "", "properties": {"x": NaN}}')
    assert line.event is not None
    assert not line.event.HasField("event_time")


def test_unknown_fields_become_properties(tmp_path: Path) -> None:
    (line,) = read(tmp_path / "events.jsonl", json.dumps(ROW | {"utm": "x", "properties": {"a": 1}}).encode())
    assert line.event is not None
    assert wire.to_dict(line.event.properties) == {"a": 1, "utm": "x"}


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv(tmp_path: Path, name: str, mark: bytes) -> None:
    header = b"lead_id,event_id,event_type,timestamp,properties,utm\n"
    rows = b'ada,1,signup,2026-01-31T12:00:00,"{""seats"": 3}","a\nb"\nada,2,signup,1769860800,,\n'
    first, second = read(tmp_path / name, mark + header + rows)
    assert first.event is not None
    assert second.event is not None
    assert wire.to_dict(first.event.properties) == {"seats": 3, "utm": "a\nb"}
    assert wire.to_dict(second.event.properties) == {}
    assert [wire.to_time(line.event.event_time) for line in (first, second) if line.event] == [NOON, NOON]
    assert (first.number, second.number) == (3, 4)


def test_malformed_rows_of_csv(tmp_path: Path) -> None:
    header = b"lead_id,event_id,event_type,timestamp,properties\n"
    rows = b"a,1,x,1\na,2,x,1,,,\na,3,x,soon\na,4,x,1,{\n\xff,5,x,1\n" + b"y" * 200_000 + b"\na,6,x,1\n"
    rows += b"a,7,x,1,1" + b"0" * 5000 + b'\na,8,x,1,"{"a": 1}"\na,9,x,1,\n'
    lines = read(tmp_path / "events.csv", header + rows)
    assert [line.event.event_id if line.event else None for line in lines] == [
        "1",
        None,
        None,
        None,
        None,
        None,
        "6",
        *[None] * 2,
        "9",
    ]
    flaws = [(line.number, line.flaw) for line in lines if line.flaw]
    expected = {3: "more cells (7)", 4: "event_time", 5: "properties: is not JSON", 6: "is not UTF-8", 7: "is not CSV"}
    expected |= {9: "properties: is not JSON", 10: "is not CSV"}
    assert {number for number, _ in flaws} == set(expected)
    for number, flaw in flaws:
        assert expected[number] in flaw


def test_rows_lost_to_an_open_quote_are_reported(tmp_path: Path) -> None:
    header = b"lead_id,event_id,event_type,timestamp,comment\n"
    before, flawed = read(tmp_path / "events.csv", header + b'a,1,x,1,fine\na,2,x,1,"great\na,3,x,1,\na,4,x,1,\n')
    assert before.event is not None
    assert (flawed.number, flawed.flaw) == (5, "is not CSV, from line 3 on: unexpected end of data")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "cannot be read: No such file"),
        ("events.csv", b"lead_id,event_type,timestamp\n", "has no column event_id"),
        ("events.csv", b"lead_id,event_id,event_type\n", "has no column occurred_at"),
        ("events.csv", b"", "has no column event_id"),
        ("events.csv", b'"lead_id,event_id\n', "the first line of .* is not CSV: unexpected end of data"),
        ("events.gz", gzip.compress(json.dumps(ROW).encode() * 99)[:-30], "is a damaged gzip file"),
        ("events.gz", b"\x1f\x8bnonsense", "is a damaged gzip file"),
    ],
)
def test_an_unreadable_file_fails_with_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=message):
        list(read_events(tmp_path / name))


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "events.jsonl", b"") == []
