"""How long keys live when one takes the place of another."""

from datetime import UTC, datetime, timedelta

import pytest

from admin_service.domain.lifetime import end_of_overlap, renewed_expiry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_new_key_lives_as_long_as_the_old_one_was_made_to_live() -> None:
    assert renewed_expiry(NOON, NOON + 90 * DAY, NOON + 80 * DAY) == NOON + 170 * DAY
    assert renewed_expiry(NOON, None, NOON + 80 * DAY) is None


@pytest.mark.parametrize(
    ("expires", "end"),
    [(None, NOON + DAY), (NOON + 2 * DAY, NOON + DAY), (NOON + DAY / 2, NOON + DAY / 2), (NOON - DAY, NOON - DAY)],
)
def test_an_overlap_never_makes_a_key_live_longer(expires: datetime | None, end: datetime) -> None:
    assert end_of_overlap(expires, NOON, DAY) == end
