"""Parked rows can be retried or discarded, and their accept times never change."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.inbox.collection import Inbox
from shared.inbox.doorbell import Doorbell
from shared.inbox.failures import DIED, Failure, ReasonCode
from shared.inbox.parking import CLAIM, DISCARDED, MAX_ATTEMPTS, IsolatedRow, Parking
from shared.mongo import Database
from tests.shared.inbox.reader import Reader, drained, put_letters, row, states, working


@pytest.mark.usefixtures("fast_retries")
async def test_a_retry_starts_over_and_is_idempotent(database: Database, inbox: Inbox, doorbell: Doorbell) -> None:
    ids = await put_letters(inbox, 6)
    reader = Reader(database, inbox, ids[1], ids[3])
    parking = Parking(inbox)
    async with working(inbox, doorbell, reader) as drainer:
        await drained(inbox, drainer, 0)
        first, second = await parking.page((), 2)
        assert await parking.page((first.park_time, first.row_id), 2) == [second]
        assert await parking.retry(["unknown", ids[0], ids[1]]) == 1
        await drained(inbox, drainer, 0)
        assert await parking.count() == 2, "expected it to fail again"
        reader.unreadable.clear()
        assert await parking.retry(None) == 2
        assert await parking.retry(None) == 0
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 6}
    assert reader.tries[ids[1]] > 2 * MAX_ATTEMPTS


async def begin(inbox: Inbox, row_id: str) -> IsolatedRow | None:
    """Begins an attempt at a row."""
    return await Parking(inbox).begin(row_id, (await row(inbox, row_id))["partition"])


async def test_a_retried_row_equals_the_row_as_it_was_added(inbox: Inbox) -> None:
    [row_id] = await put_letters(inbox, 1)
    new = await row(inbox, row_id)
    parking = Parking(inbox)
    isolated_row = await begin(inbox, row_id)
    assert isolated_row is not None
    await parking.park(isolated_row, Failure(ReasonCode.FAILED, "illegible"))
    assert (await row(inbox, row_id))["state"] == "parked"
    assert await parking.retry([row_id]) == 1
    assert await row(inbox, row_id) == new


async def test_a_row_deferred_before_the_clock_was_set_back_is_retried(inbox: Inbox) -> None:
    back, ahead, new = await put_letters(inbox, 3)
    parking, now = Parking(inbox), datetime.now(UTC)
    for row_id, span in ((back, timedelta(hours=1)), (ahead, CLAIM + timedelta(seconds=5))):  # clocks differ a little
        await inbox.rows.update_one({"_id": row_id}, {"$set": {"attempts": 1, "retry_time": now + span}})
    assert [each.row_id for each in await parking.due()] == [back]
    begun = [await begin(inbox, row_id) for row_id in (back, ahead, new)]
    assert [each and each.attempts for each in begun] == [2, None, 1]
    assert await parking.due() == [], "both are being tried"
    assert await begin(inbox, back) is None


@pytest.mark.usefixtures("fast_retries")
async def test_the_accept_time_never_changes(database: Database, inbox: Inbox, doorbell: Doorbell) -> None:
    ids = await put_letters(inbox, 6)
    before = {each["_id"]: each["accept_time"] async for each in inbox.rows.find({})}
    reader = Reader(database, inbox, ids[2])
    async with working(inbox, doorbell, reader) as drainer:
        await drained(inbox, drainer, 0)
    assert await Parking(inbox).retry(None) == 1
    assert {each["_id"]: each["accept_time"] async for each in inbox.rows.find({})} == before
    assert await inbox.waiting() == {inbox.partition_of("2"): before[ids[2]]}


async def test_rows_that_failed_alone_count_in_the_backlog_but_not_for_the_sweeper(inbox: Inbox) -> None:
    first, second, third = await put_letters(inbox, 3, key="ada")
    partition = inbox.partition_of("ada")
    accept_times = [(await row(inbox, each))["accept_time"] for each in (first, second, third)]
    await begin(inbox, first)
    assert await inbox.waiting() == {partition: accept_times[0]}
    assert await inbox.waiting_for_drain() == {partition: accept_times[1]}
    await begin(inbox, second)
    await begin(inbox, third)
    assert await inbox.waiting() == {partition: accept_times[0]}
    assert await inbox.waiting_for_drain() == {}


async def test_a_discarded_row_is_never_drained_or_retried(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    first, second, third = await put_letters(inbox, 3)
    parking = Parking(inbox)
    for row_id in (first, second):
        isolated_row = await begin(inbox, row_id)
        assert isolated_row is not None
        await parking.park(isolated_row, DIED)
    assert await parking.discard([first, third, "unknown"], "a bot", "eve") == 1
    assert await parking.discard([first], "another reason", "mallory") == 0
    assert await parking.retry(None) == 1
    async with working(inbox, doorbell, Reader(database, inbox)) as drainer:
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 2, DISCARDED: 1}
    discarded = await row(inbox, first)
    assert (discarded["discard_reason"], discarded["discard_actor"]) == ("a bot", "eve")
    assert discarded["reason"] == DIED.reason
    assert await parking.count() == 0
