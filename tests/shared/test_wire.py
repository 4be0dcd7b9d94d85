"""Protobuf types convert to Python values and back: times to the millisecond, structures without loss."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from shared import wire

MILLISECOND = timedelta(milliseconds=1)
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799

times = st.datetimes(timezones=st.just(UTC))
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(times)
def test_a_time_survives_conversion_cut_to_the_millisecond(time: datetime) -> None:
    back = wire.to_time(wire.to_timestamp(time))
    assert back == time.replace(microsecond=time.microsecond // 1000 * 1000)
    assert back.tzinfo is UTC


@given(st.integers(FIRST_SECOND, LAST_SECOND), st.integers(0, 999_999_999))
def test_a_timestamp_survives_conversion_cut_to_the_millisecond(seconds: int, nanos: int) -> None:
    back = wire.to_timestamp(wire.to_time(Timestamp(seconds=seconds, nanos=nanos)))
    assert (back.seconds, back.nanos) == (seconds, nanos // 1_000_000 * 1_000_000)


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9999, 1, 1)), zones)  # noqa: DTZ001
def test_the_time_zone_does_not_matter(local: datetime, zone: timezone) -> None:
    time = local.replace(tzinfo=zone)
    assert wire.to_timestamp(time) == wire.to_timestamp(time.astimezone(UTC))


@given(times)
def test_timestamps_equal_those_of_protobufs_own_conversion(time: datetime) -> None:
    theirs = Timestamp()
    theirs.FromDatetime(time)
    assert wire.to_timestamp(time) == theirs


def test_the_first_and_the_last_millisecond_are_valid() -> None:
    assert wire.to_time(Timestamp(seconds=FIRST_SECOND)) == wire.EARLIEST
    assert wire.to_time(Timestamp(seconds=LAST_SECOND, nanos=999_999_999)) == wire.LATEST


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_every_timestamp_converts_to_a_time(seconds: int, nanos: int) -> None:
    assert wire.EARLIEST <= wire.to_time(Timestamp(seconds=seconds, nanos=nanos)) <= wire.LATEST


def test_a_timestamp_out_of_range_becomes_the_nearest_time() -> None:
    assert wire.to_time(Timestamp(seconds=FIRST_SECOND - 1)) == wire.EARLIEST
    assert wire.to_time(Timestamp(seconds=FIRST_SECOND, nanos=-1)) == wire.EARLIEST
    assert wire.to_time(Timestamp(seconds=LAST_SECOND + 1)) == wire.LATEST
    assert wire.to_time(Timestamp(seconds=LAST_SECOND, nanos=2**31 - 1)) == wire.LATEST


def test_now_is_the_time_to_the_millisecond() -> None:
    before, now, after = datetime.now(UTC), wire.now(), datetime.now(UTC)
    assert before - MILLISECOND < now <= after
    assert (now.microsecond % 1000, now.tzinfo) == (0, UTC)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_a_dictionary_survives_conversion(fields: dict[str, Any]) -> None:
    struct = Struct.FromString(wire.to_struct(fields).SerializeToString())
    assert wire.to_dict(struct) == fields


def test_booleans_stay_booleans_and_numbers_become_floats() -> None:
    back = wire.to_dict(wire.to_struct({"yes": True, "one": 1}))
    assert [type(back[key]) for key in ("yes", "one")] == [bool, float]


def test_a_value_without_a_kind_is_none() -> None:
    struct = Struct()
    struct.fields["unset"].SetInParent()
    assert wire.to_dict(struct) == {"unset": None}


@pytest.mark.parametrize("empty", [[], {}, [[]], [{}], {"in": []}, {"in": {}}])
def test_empty_values_keep_their_types(empty: object) -> None:
    assert wire.to_dict(wire.to_struct({"field": empty})) == {"field": empty}
