"""Accepted arguments can be stored and compared everywhere; others are refused with their field."""

from datetime import UTC, datetime, timedelta

import pytest

from shared import wire
from shared.rpc import arguments
from shared.rpc.errors import InvalidArgument

LONGEST = "é" * arguments.MAX_CHARACTERS


@pytest.mark.parametrize("text", ["a", " ", LONGEST, "né 'x' $y.z"])
def test_a_valid_id_is_returned_unchanged(text: str) -> None:
    assert arguments.identifier("lead_id", text) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lead_id: is empty"),
        (LONGEST + "x", "lead_id: has 257 characters, at most 256 are allowed"),
        ("a\0b", "lead_id: contains a NUL character"),
    ],
)
def test_an_invalid_id_is_refused_with_its_field(text: str, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        arguments.identifier("lead_id", text)
    assert (caught.value.field, str(caught.value)) == ("lead_id", sentence)


def test_an_optional_text_may_be_empty_but_keeps_the_other_limits() -> None:
    assert arguments.optional_text("source", "") == ""
    for text in (LONGEST + "x", "\0"):
        with pytest.raises(InvalidArgument, match=r"^source: "):
            arguments.optional_text("source", text)


def test_duplicate_ids_are_dropped_and_the_order_is_kept() -> None:
    assert arguments.identifiers("lead_ids", ["b", "a", "b", "c", "a"], limit=5) == ["b", "a", "c"]


@pytest.mark.parametrize("count", [0, 4])
def test_too_few_or_too_many_ids_are_refused(count: int) -> None:
    with pytest.raises(InvalidArgument, match=f"^lead_ids: has {count} ids, must have 1 to 3$"):
        arguments.identifiers("lead_ids", ["a"] * count, limit=3)


def test_a_malformed_id_in_a_list_is_named_by_its_index() -> None:
    with pytest.raises(InvalidArgument) as caught:
        arguments.identifiers("lead_ids", ["a", "b", ""], limit=3)
    assert caught.value.field == "lead_ids[2]"


@pytest.mark.parametrize("time", [wire.EPOCH, datetime(2026, 3, 1, 12, 30, 0, 123_000, UTC), arguments.LATEST])
def test_a_time_within_the_limits_is_accepted(time: datetime) -> None:
    assert arguments.time("as_of_time", wire.to_timestamp(time)) == time


@pytest.mark.parametrize(
    "time", [wire.EPOCH - timedelta(milliseconds=1), arguments.LATEST + timedelta(milliseconds=1), wire.LATEST]
)
def test_a_time_beyond_the_limits_is_refused(time: datetime) -> None:
    with pytest.raises(InvalidArgument, match=r"^as_of_time: lies outside the years 1970 to 9000$"):
        arguments.time("as_of_time", wire.to_timestamp(time))
