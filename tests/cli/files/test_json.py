"""JSON is read line by line, or from lists and objects, with exact numbers."""

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.events.files.encodings import NOT_TEXT
from cli.events.files.json_documents import json_documents
from cli.events.files.json_lines import json_lines
from cli.events.files.records import MAX_RECORD, Record
from shared.mapping.exact_json import DECODER
from tests.cli.files.reading import read

EVENTS: list[dict[str, Any]] = [{"event_id": f"e-{number}", "properties": {"plan": "pro"}} for number in range(3)]


def wrapped(**others: Any) -> dict[str, Any]:
    return {"next": None, "paging": {"results": []}, **others, "total": 3}


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("\n".join(map(json.dumps, EVENTS)), "NDJSON"),
        (json.dumps(EVENTS[0]) + "\r\n\r\n" + "\r\n".join(map(json.dumps, EVENTS[1:])) + "\r\n", "NDJSON"),
        (json.dumps(EVENTS), "JSON"),
        (json.dumps(EVENTS, indent=2), "JSON"),
        ("\n\n " + json.dumps(EVENTS, indent=2), "JSON"),
        (json.dumps(wrapped(results=EVENTS)), "JSON"),
        (json.dumps(wrapped(events=EVENTS), indent=4), "JSON"),
        (json.dumps({"data": EVENTS[:1]}) + "\n" + json.dumps({"data": EVENTS[1:]}), "JSON"),
        ("\n".join(json.dumps(event, indent=2) for event in EVENTS), "JSON"),
        (json.dumps(EVENTS[:1]) + json.dumps(EVENTS[1:]), "JSON"),
        ("".join(map(json.dumps, EVENTS)), "JSON"),
    ],
)
def test_it_is_read_however_it_is_written(tmp_path: Path, text: str, layout: str) -> None:
    outcome = read(tmp_path / "events", text.encode())
    assert outcome.fields == EVENTS
    assert outcome.layout == layout
    assert outcome.columns == ("event_id", "properties", "properties.plan")


def test_the_numbers_of_items_count_them_and_those_of_lines_count_lines(tmp_path: Path) -> None:
    assert [record.number for record in read(tmp_path / "a", json.dumps(EVENTS, indent=1).encode()).records] == [
        1,
        2,
        3,
    ]
    assert [record.number for record in read(tmp_path / "b", b'{"a": 1}\n\n{"a": 2}').records] == [1, 3]


@pytest.mark.parametrize(
    "event",
    [
        {"event_name": "purchase", "items": [{"sku": "x"}], "event_params": [{"key": "a"}]},
        {"event_name": "answer", "value": [1, 2], "data": ["x"]},
        {"event_name": "search", "results": []},
    ],
)
def test_one_event_with_a_list_of_its_own_is_no_wrapper(tmp_path: Path, event: dict[str, Any]) -> None:
    assert read(tmp_path / "events.json", json.dumps(event).encode()).fields == [event]


@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"events": [{}]}}'])
def test_numbers_are_exact(tmp_path: Path, form: str) -> None:
    values = "9007199254740993", "-18446744073709551617", "1" * 400, "1.79519E+12", "0.10000000000000000000001", "1E2"
    text = '{"x": [' + ", ".join(values) + "]}"
    (fields,) = read(
        tmp_path / "events.json", form.replace("{}", text).replace("{{", "{").replace("}}", "}").encode()
    ).fields
    assert [str(value) for value in fields["x"]] == [*values[:5], "1E+2"]
    assert [type(value) for value in fields["x"]] == [int, int, int, Decimal, Decimal, Decimal]


BAD_VALUES = [
    (b'{"x": 1e999}', "has a number that is too large"),
    (b'{"x": 1' + b"0" * 5000 + b"}", "has a number that is too long"),
    (b'{"x": NaN}', "has NaN, which is not a number in JSON"),
    (b'{"x": -Infinity}', "has -Infinity, which is not a number in JSON"),
    (b"[1]", "is not a JSON object"),
    (b"5", "is not a JSON object"),
    (b'{"x": "\xff"}', NOT_TEXT),
]


@pytest.mark.parametrize(("value", "flaw"), BAD_VALUES)
@pytest.mark.parametrize(
    "parts",
    [(b'{"id": 1}\n', b'\n{"id": 3}'), (b'[{"id": 1}, ', b', {"id": 3}]'), (b'{"events": [{"id":1},', b',{"id":3}]}')],
)
def test_a_value_with_a_flaw_does_not_affect_others(
    tmp_path: Path, value: bytes, flaw: str, parts: tuple[bytes, bytes]
) -> None:
    outcome = read(tmp_path / "events", value.join(parts))
    assert outcome.flaws == {2: flaw}
    assert [record.fields for record in outcome.records] == [{"id": 1}, None, {"id": 3}]


@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        (b"{", "is not JSON: Expecting property name enclosed in double quotes at character 3"),
        (b'{"id": 2} {"id": 3}', "is not JSON: Extra data at character 11"),
        (b'{"x":' * 100_000, "is nested too deeply"),
        (b'{"x": "' + b"y" * 3 * MAX_RECORD + b'"}', f"is longer than {MAX_RECORD:,} bytes"),
    ],
)
def test_a_line_that_is_not_json_does_not_affect_others(tmp_path: Path, line: bytes, flaw: str) -> None:
    outcome = read(tmp_path / "events.ndjson", b'{"id": 1}\n' + line + b'\n{"id": 3}\n')
    assert outcome.flaws == {2: flaw}
    assert [record.fields for record in outcome.records] == [{"id": 1}, None, {"id": 3}]


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        (b'{"id": 3', "the JSON ends early: get a complete copy, and send all of it again"),
        (b'{"id": "abc', "the JSON ends early: get a complete copy, and send all of it again"),
        (b"", "the JSON ends early: get a complete copy, and send all of it again"),
        (b'{"id": 3}', "the text is not JSON: ',' or ']' is expected, but it ends early"),
        (b'{"id": 3} {"id": 4}]', "the text is not JSON: ',' or ']' is expected, but '{' follows"),
        (b'{"id": 3,, "x": 4}]', 'is not JSON: Expecting property name enclosed in double quotes near \'{"id": 3,, '),
        (b"]", "is not JSON: Expecting value"),
        (b'{"x":' * 100_000, "is nested too deeply"),
        (b'{"x": "' + b"y" * 3 * MAX_RECORD + b'"}]', f"is longer than {MAX_RECORD:,} characters, or does not end"),
    ],
)
def test_a_list_is_read_up_to_what_is_not_json(tmp_path: Path, rest: bytes, error: str) -> None:
    first = b"[" + b'{"id": 1},\n' * 10_000
    outcome = read(tmp_path / "events.json", first + rest)
    assert [record.fields for record in outcome.records[:10_000]] == [{"id": 1}] * 10_000
    assert outcome.records[-1].number in (10_001, 10_002)
    assert error in outcome.damage


def test_a_page_without_a_list_is_a_flaw(tmp_path: Path) -> None:
    outcome = read(
        tmp_path / "events.json", b'{"events": [{"id": 1}]}\n{"error": "slow down"}\n{"events": [{"id": 2}]}'
    )
    assert outcome.flaws == {
        2: "has no list under one of the keys events, results, data, records, rows, batch, result, value"
    }
    assert [record.fields for record in outcome.records] == [{"id": 1}, None, {"id": 2}]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    events=st.lists(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4), max_size=6),
    indent=st.none() | st.integers(0, 3),
    is_wrapped=st.booleans(),
    size=st.integers(1, 40),
)
def test_what_a_program_writes_is_what_is_read_in_pieces_of_any_size(
    events: list[dict[str, Any]], indent: int | None, is_wrapped: bool, size: int
) -> None:
    text = io.StringIO(json.dumps(wrapped(events=events) if is_wrapped else events, indent=indent))
    pieces = io.StringIO()
    pieces.read = lambda _=-1: text.read(size)  # type: ignore[method-assign]
    assert [record.fields for record in json_documents(pieces, wrapped=is_wrapped)] == events


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)


@given(value=JSON_VALUES, number=NUMBERS, is_ascii=st.booleans(), cut=st.none() | st.integers(0, 40))
def test_the_fast_decoder_of_lines_agrees_with_the_standard_library(
    value: Any, number: str, is_ascii: bool, cut: int | None
) -> None:
    line = f'{{"number": {number}, "value": {json.dumps(value, ensure_ascii=is_ascii)}}}'[:cut]
    (record,) = json_lines(io.BufferedReader(io.BytesIO(line.encode()))) if line else (Record(1, None, ""),)
    try:
        expected = DECODER.decode(line)
    except ValueError:
        assert record.flaw is not None
    else:
        assert (record.fields, record.flaw) == (expected, None)
        assert str(record.fields) == str(expected)


def test_half_of_a_surrogate_pair_is_left_to_the_mapping(tmp_path: Path) -> None:
    assert read(tmp_path / "events", b'{"x": "\\ud800"}').fields == [{"x": "\ud800"}]
