"""Validation of events at each limit and just beyond it, and the reported field."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.domain.errors import EventIdConflict, InvalidEvent
from ingest_service.domain.event import RESERVED_PREFIXES, Event, InvalidBatch, checked
from tests.ingest.fakes import NOW, event

TEXTS = ["event_id", "lead_id", "event_type", "source"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(1971, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
INSTANT = timedelta(milliseconds=1)


def field_of(invalid: Event) -> str:
    """Returns the field that is reported for an invalid event."""
    with pytest.raises(InvalidEvent) as caught:
        checked(invalid, NOW)
    assert str(caught.value).startswith(f"{caught.value.field}: "), "expected the message to start with the field"
    return caught.value.field


def with_text(field: str, text: str) -> Event:
    return event(**{field: text})


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["a", " ", "\n", "é" * 256, "😀" * 256, "$where", "a.b"])
def test_a_string_of_up_to_256_characters_is_valid(field: str, text: str) -> None:
    checked(with_text(field, text), NOW)


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["a" * 257, "😀" * 257, "\0", "a\0b"])
def test_a_string_that_is_too_long_or_contains_nul_is_invalid(field: str, text: str) -> None:
    assert field_of(with_text(field, text)) == field


def test_only_the_source_may_be_empty() -> None:
    for field in ("event_id", "lead_id", "event_type"):
        assert field_of(with_text(field, "")) == field
    checked(with_text("source", ""), NOW)


@given(st.text())
def test_any_lead_id_of_1_to_256_characters_without_nul_is_valid(text: str) -> None:
    if 1 <= len(text) <= 256 and "\0" not in text:
        checked(event(lead_id=text), NOW)
    else:
        assert field_of(event(lead_id=text)) == "lead_id"


def test_the_id_prefixes_of_other_history_entries_are_reserved() -> None:
    assert set(RESERVED_PREFIXES) == {"decay:", "model:", "adjustment:", "retraction:", "erased:"}
    for prefix in RESERVED_PREFIXES:
        for event_id in (prefix, f"{prefix}2026-03-01:ada"):
            assert field_of(event(event_id)) == "event_id"
        for event_id in (prefix.removesuffix(":"), f"a{prefix}", f" {prefix}", prefix.upper()):
            checked(event(event_id), NOW)
        checked(event(lead_id=prefix, event_type=prefix, source=prefix), NOW)


@pytest.mark.parametrize("time", [FIRST, NOW, NOW + AHEAD])
def test_a_time_from_1971_to_5_minutes_ahead_is_valid_and_kept(time: datetime) -> None:
    assert checked(event(event_time=time), NOW) == event(event_time=time)


@pytest.mark.parametrize(
    "time",
    [
        None,
        EPOCH,
        EPOCH - INSTANT,
        FIRST - INSTANT,
        datetime.min.replace(tzinfo=UTC),
        NOW + AHEAD + INSTANT,
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_time_that_is_missing_or_out_of_range_is_invalid(time: datetime | None) -> None:
    assert field_of(event(event_time=time)) == "event_time"


@pytest.mark.parametrize(
    ("event_time", "sent_time", "corrected"),
    [
        # The sender's clock is right, and 80 ms pass on the way.
        (
            NOW - timedelta(hours=1),
            NOW - timedelta(milliseconds=80),
            NOW - timedelta(hours=1) + timedelta(milliseconds=80),
        ),
        # It is a day ahead, and the event happened 80 minutes before it was sent.
        (NOW + timedelta(days=1, minutes=-80), NOW + timedelta(days=1), NOW - timedelta(minutes=80)),
        # It is an hour behind.
        (NOW - timedelta(minutes=90), NOW - timedelta(minutes=60), NOW - timedelta(minutes=30)),
        # It was never set, and shows the time since the device was switched on.
        (EPOCH + timedelta(seconds=7), EPOCH + timedelta(minutes=2), NOW - timedelta(seconds=113)),
        # The event happened after it was sent, which two processors can say of one instant.
        (NOW + AHEAD, NOW, NOW + AHEAD),
    ],
)
def test_the_sent_time_corrects_the_clock_of_the_sender(
    event_time: datetime, sent_time: datetime, corrected: datetime
) -> None:
    found = checked(event(event_time=event_time, sent_time=sent_time), NOW)
    assert found == event(event_time=corrected, sent_time=sent_time, original_time=event_time)


@pytest.mark.parametrize(
    ("event_time", "sent_time", "field"),
    [
        (EPOCH, NOW, "event_time"),
        (NOW, EPOCH, "sent_time"),
        (NOW + AHEAD + INSTANT, NOW, "event_time"),
        (FIRST, NOW + INSTANT, "event_time"),
        (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), "event_time"),
        (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), "event_time"),
        (None, NOW, "event_time"),
    ],
)
def test_a_corrected_time_must_be_within_the_same_limits(
    event_time: datetime | None, sent_time: datetime, field: str
) -> None:
    assert field_of(event(event_time=event_time, sent_time=sent_time)) == field


def test_the_sent_time_of_a_historical_event_corrects_nothing() -> None:
    past = event(event_time=NOW - timedelta(days=400), sent_time=NOW - timedelta(days=400), historical=True)
    assert checked(past, NOW) == past
    assert field_of(event(event_time=NOW + timedelta(hours=1), sent_time=NOW, historical=True)) == "event_time"


def test_the_first_invalid_field_is_reported() -> None:
    invalid: dict[str, Any] = {
        "event_id": "",
        "lead_id": "",
        "event_type": "",
        "event_time": None,
        "properties": {"a": math.nan},
        "source": "\0",
    }
    reported = []
    while invalid:
        reported.append(field_of(event(**invalid)))
        invalid.pop(next(iter(invalid)))
    assert reported == ["event_id", "lead_id", "event_type", "event_time", "properties.a", "source"]


def test_an_id_conflict_and_an_invalid_batch_report_their_field() -> None:
    conflict = EventIdConflict("e1", ["properties", "source"])
    assert (conflict.field, InvalidBatch(0).field) == ("event_id", "events")
    assert str(conflict) == "event_id: differs in properties, source from the event stored as 'e1'; nothing was changed"
    assert conflict.metadata == {"differing_fields": "properties,source"}
    assert str(InvalidBatch(1001)) == "events: the batch has 1001 events, must have 1 to 1,000"
