"""Limits per key: what passes, what must wait, and how long. The counts of a day use a real MongoDB."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from shared.access.callers import Caller
from shared.access.errors import KeyLimitExceeded
from shared.access.keys import Limits
from shared.access.rates import COLLECTION, Rates
from shared.access.roles import Role
from shared.mongo import Database

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is set forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Returns the seconds."""
        return self.seconds

    def now(self) -> datetime:
        """Returns the time of day."""
        return NOON + timedelta(seconds=self.seconds)


def caller(**limits: int) -> Caller:
    return Caller("website", frozenset({Role.INGEST}), "abcdefghijkl", Limits(**limits))


def rates_at(clock: Clock, database: Database | None = None) -> Rates:
    return Rates(database if database is not None else cast("Database", _NoDatabase()), clock=clock, now=clock.now)


class _NoDatabase:
    def __getitem__(self, name: str) -> "_NoDatabase":
        return self

    def with_options(self, **_: object) -> "_NoDatabase":
        return self


def sent(rates: Rates, who: Caller, events: int) -> int:
    """Sends events one by one, and returns how many passed."""
    passed = 0
    for _ in range(events):
        try:
            rates.take(who, 1)
        except KeyLimitExceeded:
            break
        passed += 1
    return passed


def refused(rates: Rates, who: Caller) -> float:
    """Returns after how many seconds a refused event may be sent again."""
    with pytest.raises(KeyLimitExceeded) as error:
        rates.take(who, 1)
    return error.value.retry_seconds


def test_a_key_without_limits_sends_what_it_likes() -> None:
    assert sent(rates_at(Clock()), caller(), 10_000) == 10_000


def test_a_burst_passes_and_what_follows_waits() -> None:
    clock = Clock()
    rates, who = rates_at(clock), caller(per_second=10, burst=50)
    assert sent(rates, who, 100) == 50
    assert refused(rates, who) == pytest.approx(0.1)
    clock.seconds += 0.1
    assert sent(rates, who, 100) == 1
    clock.seconds += 3600
    assert sent(rates, who, 100) == 50, "an idle hour should save up one burst, not more"


def test_without_a_burst_the_events_of_one_second_may_come_at_once() -> None:
    assert sent(rates_at(Clock()), caller(per_second=10), 100) == 10


def test_a_large_batch_passes_and_is_paid_for_afterwards() -> None:
    clock = Clock()
    rates, who = rates_at(clock), caller(per_second=10)
    rates.take(who, 1_000)
    assert refused(rates, who) == pytest.approx(99.1)
    clock.seconds += 99.15
    assert sent(rates, who, 100) == 1


def test_keys_do_not_share_their_limits() -> None:
    rates, who = rates_at(Clock()), caller(per_second=1)
    assert sent(rates, who, 10) == 1
    other = Caller("app", who.roles, "other", who.limits)
    assert sent(rates, other, 10) == 1


def test_a_day_ends_at_midnight_in_utc() -> None:
    clock = Clock()
    rates, who = rates_at(clock), caller(per_day=100)
    assert sent(rates, who, 200) == 100
    assert refused(rates, who) == pytest.approx(12 * 3600)
    clock.seconds += 12 * 3600
    assert sent(rates, who, 200) == 100


def test_a_refused_event_is_not_counted() -> None:
    clock = Clock()
    rates, who = rates_at(clock), caller(per_second=1, per_day=3)
    for _ in range(5):
        sent(rates, who, 10)
    clock.seconds += 1
    assert sent(rates, who, 10) == 1, "the refused events should not have counted for the day"


async def test_servers_share_the_count_of_a_day(database: Database) -> None:
    clock = Clock()
    one, other, who = rates_at(clock, database), rates_at(clock, database), caller(per_day=100)
    assert sent(one, who, 60) == 60
    await one.flush()
    assert sent(other, who, 1) == 1
    await other.flush()
    assert sent(other, who, 100) == 39
    await other.flush()
    assert sent(one, who, 1) == 1
    await one.flush()
    assert sent(one, who, 1) == 0
    document = await database[COLLECTION].find_one()
    assert document
    assert (document["_id"], document["events"]) == ("abcdefghijkl:2026-11-28", 101)


async def test_a_limit_that_is_raised_holds_at_once(database: Database) -> None:
    rates = rates_at(Clock(), database)
    assert sent(rates, caller(per_day=10), 20) == 10
    await rates.flush()
    assert sent(rates, caller(per_day=15), 20) == 5
