"""Properties: what is invalid, and what is shortened so that the event is not lost."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.domain.errors import InvalidEvent
from ingest_service.domain.properties import MAX_BYTES, Shortening, fitted

TEXT = "a" * 8192
"""The longest text."""
MANY = {f"p{number:03}": 1.0 for number in range(256)}
"""As many properties as an event can have."""


def field_of(properties: dict[str, Any]) -> str:
    """Returns the field that is reported for invalid properties."""
    with pytest.raises(InvalidEvent) as caught:
        fitted(properties)
    assert str(caught.value).startswith(f"{caught.value.field}: "), "expected the message to start with the field"
    return caught.value.field


def nested(containers: list[type], bottom: object) -> Any:
    """Returns a value nested in lists and dictionaries."""
    for container in containers:
        bottom = [bottom] if container is list else {"a": bottom}
    return bottom


@pytest.mark.parametrize(
    "value", [None, True, 0.0, -1.5, 2.0**53 - 1, 1 - 2.0**53, 5e-324, "", [], {}, [[]], {"": {"": ""}}]
)
@pytest.mark.parametrize("name", ["a", "", "a.b", "$id", "$db", "ref", "_id", "é" * 256])
def test_any_json_value_with_any_name_is_kept(name: str, value: object) -> None:
    assert fitted({name: value}) == ({name: value}, None)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        MANY,
        {"a": TEXT},
        {"a": "é" * 4096},
        {"a": [TEXT, {"b": TEXT}]},
        {f"p{number}": "a" * 8000 for number in range(8)},
        {"a": {f"p{number:03}": 1.0 for number in range(1000)}},
        {"a": ["a" * 65] * 1000},
    ],
)
def test_what_is_within_the_limits_is_kept(properties: dict[str, Any]) -> None:
    assert fitted(properties) == (properties, None)


@pytest.mark.parametrize(
    ("long", "kept"),
    [
        (TEXT + "a", TEXT),
        ("é" * 4096 + "a", "é" * 4096),
        ("a" + "é" * 4096, "a" + "é" * 4095),
        ("aaa" + "😀" * 2048, "aaa" + "😀" * 2047),
        (["b", TEXT * 7, 1.0], ["b", TEXT, 1.0]),
        ({"b": [{"c": TEXT + "é"}], "d": True}, {"b": [{"c": TEXT}], "d": True}),
    ],
)
def test_long_texts_are_cut_at_the_end_of_a_character(long: object, kept: object) -> None:
    found = fitted({"short": 1.0, "long": long, "b": TEXT})
    assert found == ({"short": 1.0, "long": kept, "b": TEXT}, Shortening(("long",), 0))


def test_properties_beyond_the_number_are_left_out_in_alphabetical_order() -> None:
    more = {"z": 1.0, **MANY, "A": TEXT * 2, "p0": "x"}
    expected = {"A": TEXT, "p0": "x", **MANY}
    del expected["p254"], expected["p255"]
    assert fitted(more) == (expected, Shortening(("A",), 3))
    assert fitted(dict(reversed(more.items()))) == fitted(more), "expected the order of arrival not to matter"


def test_a_property_with_a_name_that_is_too_long_is_left_out() -> None:
    assert fitted({"a": 1.0, "b" * 257: 1.0}) == ({"a": 1.0}, Shortening((), 1))
    assert fitted({"a": 1.0, "b": [{"c" * 257: 1.0}]}) == ({"a": 1.0}, Shortening((), 1))
    assert fitted({"b" * 1_000_000: 1.0}) == ({}, Shortening((), 1))


@given(st.lists(st.sampled_from([list, dict]), max_size=10), st.sampled_from([1.0, "a", None, [], {}]))
def test_a_property_with_more_than_8_levels_is_left_out(containers: list[type], bottom: object) -> None:
    properties = {"flat": 1.0, "deep": nested(containers, bottom)}
    if len(containers) + 1 <= 8:
        assert fitted(properties) == (properties, None)
    else:
        assert fitted(properties) == ({"flat": 1.0}, Shortening((), 1))


def test_what_is_left_out_leaves_room_for_others() -> None:
    properties = {**MANY, "a" * 257: 1.0, "b": nested([list] * 9, 1.0)}
    assert fitted(properties) == (MANY, Shortening((), 2))


@pytest.mark.parametrize(
    "properties",
    [
        {f"p{number}": TEXT for number in range(8)},
        {"a": ["a" * 100] * 656},
        {"a": [None] * 8192},
        {"a": [[]] * 8192},
        {"a": {f"{number:08}": {} for number in range(4096)}},
        {"a": [TEXT * 2] * 8},
        {f"{'é' * 100}{number}": 0.0 for number in range(320)} | {"a": [TEXT] * 2},
    ],
)
def test_an_event_that_is_too_large_even_so_is_refused(properties: dict[str, Any]) -> None:
    assert field_of(properties) == "properties"


def test_the_message_says_how_large_the_properties_are() -> None:
    assert MAX_BYTES == 65536
    with pytest.raises(InvalidEvent, match=r"properties: have 65,552 bytes even after text was cut, at most 65,536"):
        fitted({f"p{number}": TEXT for number in range(8)})


@pytest.mark.parametrize(
    "bottom", [math.nan, math.inf, -math.inf, 2.0**53, -(2.0**53), 1e300, "\0", "a\0b", {"a\0": 1.0}]
)
@pytest.mark.parametrize("containers", [[], [list], [dict], [dict, list, dict]])
def test_what_cannot_be_stored_truly_is_refused_at_any_depth(containers: list[type], bottom: object) -> None:
    assert field_of({"fine": 1.0, "bad": nested(containers, bottom)}) == "properties.bad"
    assert field_of({"long": TEXT * 2, "bad": nested(containers, bottom)}) == "properties.bad"


def test_a_number_that_may_have_lost_digits_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidEvent, match="can lose digits on the way; send it as text"):
        fitted({"id": float(2**63 - 1)})


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"$ref": "leads", "$id": "ada"}, "properties.$ref"),
        ({"$ref": "leads"}, "properties.$ref"),
        ({"link": {"$ref": "leads", "$id": "ada", "more": 1.0}}, "properties.link"),
        ({"links": [{"a": {"$ref": 1.0}}]}, "properties.links"),
        ({"a\0": 1.0}, "properties.a\0"),
        ({"": {"a\0": 1.0}}, "properties."),
    ],
)
def test_names_that_mongodb_or_its_drivers_cannot_keep_are_refused(properties: dict[str, Any], field: str) -> None:
    assert field_of(properties) == field


def test_a_long_name_is_not_echoed() -> None:
    assert field_of({"a" * 257: math.nan}) == "properties"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(-1e15, 1e15) | st.text(st.characters(exclude_characters="\0"), max_size=9000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=300), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abé", max_size=300), VALUES, max_size=8))
def test_what_was_shortened_once_stays_as_it_is(properties: dict[str, Any]) -> None:
    try:
        kept, _ = fitted(properties)
    except InvalidEvent:
        return
    assert fitted(kept) == (kept, None)
