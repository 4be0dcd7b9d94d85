"""Which events are refused, at each limit and just beyond it, and which field is named."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.domain.event import (
    RESERVED_PREFIXES,
    Event,
    EventIdConflict,
    InvalidBatch,
    InvalidEvent,
    check_event,
)
from tests.ingest.fakes import NOW, event

TEXTS = ["event_id", "lead_id", "event_type", "source"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)


def field_of(flawed: Event) -> str:
    """Returns the field that is named when an event is refused."""
    with pytest.raises(InvalidEvent) as caught:
        check_event(flawed, NOW)
    assert str(caught.value).startswith(f"{caught.value.field}: "), "expected a sentence that begins with the field"
    return caught.value.field


def with_text(field: str, text: str) -> Event:
    return event(**{field: text})


def nested(containers: list[type], bottom: object) -> Any:
    """Returns a value within lists and dictionaries."""
    for container in containers:
        bottom = [bottom] if container is list else {"a": bottom}
    return bottom


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["a", " ", "\n", "é" * 256, "😀" * 256, "$where", "a.b"])
def test_a_text_of_up_to_256_characters_is_taken(field: str, text: str) -> None:
    check_event(with_text(field, text), NOW)


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["a" * 257, "😀" * 257, "\0", "a\0b"])
def test_a_text_that_is_too_long_or_holds_a_nul_is_refused(field: str, text: str) -> None:
    assert field_of(with_text(field, text)) == field


def test_no_text_but_the_source_may_be_empty() -> None:
    for field in ("event_id", "lead_id", "event_type"):
        assert field_of(with_text(field, "")) == field
    check_event(with_text("source", ""), NOW)


@given(st.text())
def test_whatever_text_of_a_lead_is_neither_empty_nor_long_nor_holds_a_nul_is_taken(text: str) -> None:
    if 1 <= len(text) <= 256 and "\0" not in text:
        check_event(event(lead_id=text), NOW)
    else:
        assert field_of(event(lead_id=text)) == "lead_id"


def test_the_ids_of_other_entries_are_reserved() -> None:
    assert set(RESERVED_PREFIXES) == {"decay:", "model:", "adjustment:", "retraction:"}
    for prefix in RESERVED_PREFIXES:
        for event_id in (prefix, f"{prefix}2026-03-01:ada"):
            assert field_of(event(event_id)) == "event_id"
        for event_id in (prefix.removesuffix(":"), f"a{prefix}", f" {prefix}", prefix.upper()):
            check_event(event(event_id), NOW)
        check_event(event(lead_id=prefix, event_type=prefix, source=prefix), NOW)


@pytest.mark.parametrize("time", [EPOCH, NOW, NOW + timedelta(hours=24)])
def test_a_time_from_1970_to_24_hours_ahead_is_taken(time: datetime) -> None:
    check_event(event(event_time=time), NOW)


@pytest.mark.parametrize(
    "time",
    [
        None,
        EPOCH - INSTANT,
        datetime.min.replace(tzinfo=UTC),
        NOW + timedelta(hours=24) + INSTANT,
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_time_that_is_missing_or_beyond_is_refused(time: datetime | None) -> None:
    assert field_of(event(event_time=time)) == "event_time"


def test_64_properties_are_taken_and_more_are_refused() -> None:
    many: dict[str, Any] = {f"p{number}": 1.0 for number in range(64)}
    check_event(event(properties=many), NOW)
    assert field_of(event(properties={**many, "one_more": 1.0})) == "properties"
    check_event(event(properties={"a": {**many, "one_more": 1.0}}), NOW)


@pytest.mark.parametrize(
    ("largest", "larger"),
    [
        ("a" * 4094, "a" * 4095),
        ("é" * 2047, "é" * 2047 + "a"),
        ("\n" * 2047, "\n" * 2047 + "a"),
        (["a" * 4092], ["a" * 4093]),
        ({"a": "a" * 4087}, {"a": "a" * 4088}),
        ({"é" * 256: "a" * 3576}, {"é" * 256: "a" * 3577}),
    ],
)
def test_a_value_of_up_to_4_kib_of_json_is_taken(largest: object, larger: object) -> None:
    assert len(json.dumps(largest, ensure_ascii=False).encode()) == 4096
    check_event(event(properties={"first": largest, "second": largest}), NOW)
    assert field_of(event(properties={"first": largest, "second": larger})) == "properties.second"


@given(st.lists(st.sampled_from([list, dict]), max_size=10), st.sampled_from([1.0, "a", None, [], {}]))
def test_up_to_8_levels_are_taken(containers: list[type], bottom: object) -> None:
    asked = event(properties={"flat": 1.0, "deep": nested(containers, bottom)})
    if len(containers) + 1 <= 8:
        check_event(asked, NOW)
    else:
        assert field_of(asked) == "properties.deep"


@pytest.mark.parametrize("bottom", [math.nan, math.inf, -math.inf, "\0", "a\0b", {"a\0": 1.0}])
@pytest.mark.parametrize("containers", [[], [list], [dict], [dict, list, dict]])
def test_numbers_that_json_lacks_and_nul_are_refused_at_any_depth(containers: list[type], bottom: object) -> None:
    assert field_of(event(properties={"fine": 1.0, "bad": nested(containers, bottom)})) == "properties.bad"


def test_the_name_of_a_property_must_not_hold_a_nul() -> None:
    assert field_of(event(properties={"a\0": 1.0})) == "properties.a\0"


@pytest.mark.parametrize("containers", [[], [list], [dict], [dict, list, dict]])
def test_a_name_of_up_to_256_characters_is_taken_at_any_depth(containers: list[type]) -> None:
    check_event(event(properties={"a": nested(containers, {"é" * 256: 1.0})}), NOW)
    assert field_of(event(properties={"a": nested(containers, {"é" * 257: 1.0})})) == "properties.a"


def test_a_name_that_is_too_long_is_not_repeated() -> None:
    check_event(event(properties={"é" * 256: 1.0}), NOW)
    with pytest.raises(InvalidEvent) as caught:
        check_event(event(properties={"a" * 1_000_000: 1.0}), NOW)
    assert caught.value.field == "properties"
    assert str(caught.value) == "properties: has a name with 1000000 characters, at most 256 are allowed"


@pytest.mark.parametrize(
    "value", [None, True, 0.0, -1.5, 1.7976931348623157e308, 5e-324, "", [], {}, [[]], {"": {"": ""}}]
)
@pytest.mark.parametrize("name", ["a", "", "a.b", "$id", "$db", "ref", "_id"])
def test_any_json_value_of_any_name_is_taken(name: str, value: object) -> None:
    check_event(event(properties={name: value}), NOW)


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"$ref": "leads", "$id": "ada"}, "properties.$ref"),
        ({"$ref": "leads"}, "properties.$ref"),
        ({"link": {"$ref": "leads", "$id": "ada", "more": 1.0}}, "properties.link"),
        ({"links": [{"a": {"$ref": 1.0}}]}, "properties.links"),
    ],
)
def test_what_a_driver_could_read_as_a_reference_is_refused(properties: dict[str, Any], field: str) -> None:
    assert field_of(event(properties=properties)) == field


def test_the_first_flaw_in_the_order_of_the_fields_is_named() -> None:
    flaws: dict[str, Any] = {
        "event_id": "",
        "lead_id": "",
        "event_type": "",
        "event_time": None,
        "properties": {"a": math.nan},
        "source": "\0",
    }
    named = []
    while flaws:
        named.append(field_of(event(**flaws)))
        flaws.pop(next(iter(flaws)))
    assert named == ["event_id", "lead_id", "event_type", "event_time", "properties.a", "source"]


def test_a_conflict_and_a_refused_batch_name_their_field() -> None:
    assert (EventIdConflict("e1").field, InvalidBatch(0).field) == ("event_id", "events")
    assert "'e1'" in str(EventIdConflict("e1"))
    assert str(InvalidBatch(1001)) == "events: 1001 in this batch, must be 1 to 1,000"
