"""The sweeper rings for rows that have waited too long."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.errors import AutoReconnect, PyMongoError
from structlog.testing import capture_logs

from shared.inbox.collection import Inbox
from shared.inbox.consumer import sweep
from shared.tasks import running
from tests.shared.inbox.pending_rows import key_in, put
from tests.shared.inbox.recording_doorbell import RecordingDoorbell
from tests.shared.waiting import until


async def test_a_sweep_rings_only_for_partitions_with_old_rows(inbox: Inbox, doorbell: RecordingDoorbell) -> None:
    now = datetime.now(UTC)
    await put(inbox, key_in(inbox, 2), time=now - timedelta(minutes=1))
    await put(inbox, key_in(inbox, 5), time=now)
    await put(inbox, key_in(inbox, 6), time=now - timedelta(minutes=1))
    await inbox.mark(await inbox.pending([6], 1))
    async with running(sweep(inbox, doorbell, age=timedelta(seconds=30), every=0.01)):
        await until(lambda: len(doorbell.rings) >= 3, what="repeated rings")
        await inbox.mark(await inbox.pending([2], 1))
        await put(inbox, key_in(inbox, 3), time=now - timedelta(minutes=1))
        await until(lambda: doorbell.rings[-1] == [3], what="a ring for the row that waits by then")
    assert set(map(tuple, doorbell.rings)) == {(2,), (3,)}


async def test_a_sweep_rings_for_rows_from_the_future_after_the_clock_was_set_back(
    inbox: Inbox, doorbell: RecordingDoorbell
) -> None:
    now = datetime.now(UTC)
    await put(inbox, key_in(inbox, 2), time=now + timedelta(hours=1))
    await put(inbox, key_in(inbox, 5), time=now + timedelta(seconds=20))  # clocks of machines differ a little
    async with running(sweep(inbox, doorbell, age=timedelta(seconds=30), every=0.01)):
        await until(lambda: len(doorbell.rings) >= 3, what="rings for the row from the future")
    assert set(map(tuple, doorbell.rings)) == {(2,)}


async def test_a_sweep_continues_after_database_errors(
    inbox: Inbox, doorbell: RecordingDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[PyMongoError] = [AutoReconnect("planted"), PyMongoError("planted")]
    waiting = inbox.waiting_for_drain

    async def fail_at_first() -> dict[int, datetime]:
        if errors:
            raise errors.pop()
        return await waiting()

    monkeypatch.setattr(inbox, "waiting_for_drain", fail_at_first)
    await put(inbox, key_in(inbox, 2))
    with capture_logs() as lines:
        async with running(sweep(inbox, doorbell, age=timedelta(seconds=1), every=0.01)):
            await until(lambda: doorbell.rings, what="a ring after the errors")
    assert [line["event"] for line in lines] == ["sweep failed"] * 2
