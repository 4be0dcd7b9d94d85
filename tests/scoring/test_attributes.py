"""The size limit of the attributes of a lead."""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.attributes import MAX_BYTES, MAX_NAMES, NO_ATTRIBUTES, Attributes, merged

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
EVENTS = st.lists(st.dictionaries(st.text(max_size=3), VALUES | st.integers(1, 40_000).map("ü".__mul__), max_size=5))


def json_bytes(values: Mapping[str, Any]) -> int:
    return len(json.dumps(dict(values), ensure_ascii=False, separators=(",", ":")).encode())


def merged_from(*events: Mapping[str, Any]) -> Attributes:
    return reduce(merged, events, NO_ATTRIBUTES)


def test_a_later_value_replaces_an_earlier_one() -> None:
    assert merged_from({"country": "DE", "size": 3}, {"country": "NL"}).values == {"country": "NL", "size": 3}


def test_the_attributes_of_an_event_are_not_changed_by_a_later_one() -> None:
    before = merged_from({"country": "DE"})
    merged(before, {"country": "NL"})
    assert before.values == {"country": "DE"}


def test_a_value_without_room_is_left_out_and_the_others_are_kept() -> None:
    after = merged_from({"a": "x" * 40_000}, {"b": "x" * 40_000, "c": "kept"})
    assert (sorted(after.values), after.left_out) == (["a", "c"], 1)


def test_an_attribute_whose_new_value_has_no_room_stays_as_it_was() -> None:
    after = merged_from({"country": "DE", "notes": "x" * 60_000}, {"country": "x" * 10_000})
    assert (after.values["country"], after.left_out) == ("DE", 1)


def test_the_limit_is_exact_to_the_byte() -> None:
    room = MAX_BYTES - len('{"a":""}')
    exact = merged_from({"a": "x" * room})
    assert (exact.size, exact.left_out) == (MAX_BYTES, 0)
    assert merged_from({"a": "x" * (room + 1)}) == Attributes({}, 2, 1)
    assert merged_from({"a": "ü" * (room // 2 + 1)}).left_out == 1, "the limit is in bytes, not characters"


def test_room_that_becomes_free_is_used() -> None:
    after = merged_from({"a": "x" * 60_000}, {"b": "x" * 60_000}, {"a": ""}, {"b": "x" * 60_000})
    assert (after.values["b"], after.left_out) == ("x" * 60_000, 1)


def test_a_further_name_is_left_out_and_a_known_one_is_replaced() -> None:
    names = {f"name-{number:03}": number for number in range(MAX_NAMES)}
    after = merged_from(names, {"further": 1, "name-000": "new"})
    assert (len(after.values), after.values["name-000"], after.left_out) == (MAX_NAMES, "new", 1)


def test_attributes_that_are_over_the_bound_already_may_shrink() -> None:
    """The attributes of a lead that was stored before the limit existed."""
    before = Attributes.of({"a": "x" * 90_000, "b": "x"})
    after = merged(before, {"a": "x" * 80_000, "b": "yy"})
    assert (len(after.values["a"]), after.values["b"], after.left_out) == (80_000, "x", 1)


def test_a_merge_measures_only_what_changes() -> None:
    """The unchanged values are not JSON, so measuring them would fail."""
    before = Attributes({"a": object(), "b": 1}, 60_000)
    assert merged(before, {"b": 2}).size == 60_000


@given(EVENTS)
def test_the_size_is_that_of_the_json_and_within_the_bound(events: Sequence[Mapping[str, Any]]) -> None:
    after = merged_from(*events)
    assert after.size == json_bytes(after.values) <= MAX_BYTES
    assert Attributes.of(after.values, after.left_out) == after
    for name, value in after.values.items():
        assert any(name in event and event[name] is value for event in events)
