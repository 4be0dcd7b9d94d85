"""Durations are written as text for people, and read from it."""

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from shared.message_files import durations

LONGEST = 315_576_000_000


@given(st.integers(-LONGEST * 10**9, LONGEST * 10**9) | st.integers(-(10**10), 10**10))
def test_every_duration_survives_being_written_and_read(nanos: int) -> None:
    sign = -1 if nanos < 0 else 1
    duration = Duration(seconds=sign * (abs(nanos) // 10**9), nanos=sign * (abs(nanos) % 10**9))
    assert durations.to_duration(durations.to_text(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", 604_800), ("1d12h", 129_600), ("1h30m", 5_400), ("10s", 10), ("0s", 0), ("-1d", -86_400), ("1m1s", 61)],
)
def test_a_duration_is_written_and_read(text: str, seconds: int) -> None:
    assert durations.to_duration(text) == Duration(seconds=seconds)
    assert durations.to_text(Duration(seconds=seconds)) == text


@pytest.mark.parametrize(("text", "seconds"), [("24h", 86_400), ("90m", 5_400), ("36h", 129_600), ("1.50s", 1.5)])
def test_alternative_spellings_of_durations_are_read(text: str, seconds: float) -> None:
    assert durations.to_duration(text).ToTimedelta().total_seconds() == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "7",
        "d",
        "7 d",
        "1h1d",
        "1d1d",
        "1.5d",
        ".5s",
        "1.s",
        "1.0000000001s",
        "+1d",
        "1D",
        "٣d",
        "9" * 5000 + "d",
    ],
)
def test_a_malformed_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        durations.to_duration(text)


def test_a_duration_longer_than_protobuf_allows_is_refused() -> None:
    assert durations.to_duration(f"{LONGEST}s").seconds == LONGEST
    with pytest.raises(ValueError, match=r"10,000 years"):
        durations.to_duration(f"{LONGEST}.000000001s")
