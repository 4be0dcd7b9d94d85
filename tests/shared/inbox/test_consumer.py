"""A drainer works through its partitions in batches, and no failure stops it."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo.errors import PyMongoError
from structlog.testing import capture_logs

from shared import watchdog
from shared.inbox import consumer as drainers
from shared.inbox import doorbell as doorbell_module
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import MAX_TOGETHER
from shared.mongo import Database
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.inbox.pending_rows import BATCH, inbox_of
from tests.shared.inbox.recording_doorbell import RecordingDoorbell
from tests.shared.waiting import until


class Steps:
    """Scripted steps of a drain: records their partitions, and returns the given numbers of rows."""

    def __init__(self, *done: int, bad: int | None = None) -> None:
        self.asked: list[list[int]] = []
        self._done = list(done)
        self._bad = bad

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Returns the next number, or 0 after the last; raises if the bad partition is among the given ones."""
        assert limit == BATCH
        self.asked.append(list(partitions))
        if self._bad in partitions:
            raise PyMongoError("planted")
        return self._done.pop(0) if self._done else 0


async def test_a_drain_continues_until_a_batch_is_not_full(inbox: Inbox, doorbell: RecordingDoorbell) -> None:
    steps = Steps(BATCH, BATCH, 3, BATCH)
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH)
    async with running(drainer.run()):
        await drainer.drain([1])
        await steps_are(steps, [[1]] * 3)
        await drainer.drain([2])
        await steps_are(steps, [[1]] * 3 + [[2]] * 2)
    assert doorbell.rings == [], "expected no ring for an empty partition"


async def test_a_drain_yields_after_a_number_of_batches_and_rings_for_the_rest(
    inbox: Inbox, doorbell: RecordingDoorbell
) -> None:
    steps = Steps(*[BATCH] * 3, 0, *[BATCH] * 9)
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH, batches=3)
    async with running(drainer.run()):
        await drainer.drain([1, 2])
        await until(lambda: doorbell.rings, what="a ring for the remaining rows")
        await drainer.drain([3])
        await steps_are(steps, [[1, 2]] * 3 + [[3]])
    assert doorbell.rings == [[1, 2]]


async def test_waiting_partitions_are_drained_together_and_once(inbox: Inbox, doorbell: RecordingDoorbell) -> None:
    steps = Steps()
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH)
    for partitions in ([5, 1], [3], [1]):
        await drainer.drain(partitions)
    async with running(drainer.run()):
        await steps_are(steps, [[1, 3, 5]])


async def test_two_lanes_work_at_the_same_time(inbox: Inbox, doorbell: RecordingDoorbell) -> None:
    meeting = asyncio.Barrier(2)
    begun: list[list[int]] = []
    ended: list[list[int]] = []

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        begun.append(list(partitions))
        await meeting.wait()  # neither continues before both are at work
        ended.append(list(partitions))
        return 0

    drainer = Drainer(inbox, doorbell, step, batch_rows=BATCH)
    async with running(drainer.run(), drainer.run()):
        await drainer.drain([1])
        await until(lambda: begun, what="one lane is at work")
        await drainer.drain([2])
        await until(lambda: len(ended) == 2, what="both lanes are at work at the same time")
    assert sorted(ended) == [[1], [2]]


async def test_a_lane_ends_even_if_its_step_swallows_the_cancellation(
    inbox: Inbox, doorbell: RecordingDoorbell
) -> None:
    began = asyncio.Event()

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        began.set()
        with contextlib.suppress(asyncio.CancelledError):  # as `asyncio.wait_for` does when its result has arrived
            await asyncio.Event().wait()
        return 0

    drainer = Drainer(inbox, doorbell, step, batch_rows=BATCH)
    async with asyncio.timeout(60), running(drainer.run()):
        await drainer.drain([1])
        await began.wait()


async def test_drain_waits_while_the_queue_of_partitions_is_full(
    database: Database, doorbell: RecordingDoorbell
) -> None:
    steps = Steps()
    inbox = inbox_of(database, partitions=100)
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH)
    await drainer.drain(range(MAX_TOGETHER))
    late = asyncio.create_task(drainer.drain([99]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not late.done(), "expected to wait for room"
    async with running(drainer.run()):
        await asyncio.wait_for(late, 30)
        await steps_are(steps, [list(range(MAX_TOGETHER)), [99]])


async def test_a_failing_partition_does_not_block_the_others(inbox: Inbox, doorbell: RecordingDoorbell) -> None:
    steps = Steps(bad=2)
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH)
    with capture_logs() as lines:
        async with running(drainer.run()):
            await drainer.drain([1, 2, 3])
            await steps_are(steps, [[1, 2, 3], [1], [2], [3]])
    failed = [line["partitions"] for line in lines if line["event"] == "drain failed"]
    assert failed == [[1, 2, 3], [2]]


@pytest.mark.parametrize("error", [PyMongoError("planted"), TimeoutError(), KeyError("field"), AssertionError()])
async def test_a_failed_drain_ends_neither_its_lane_nor_later_leases(
    inbox: Inbox, doorbell: RecordingDoorbell, error: Exception
) -> None:
    errors = [error]
    drained: list[list[int]] = []

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        drained.append(list(partitions))
        if errors:
            raise errors.pop()
        return 0

    drainer = Drainer(inbox, doorbell, step, batch_rows=BATCH)
    with capture_logs() as lines:
        async with running(drainer.run()):
            await drainer.drain([1])
            await until(lambda: drained, what="a failed drain")
            await drainer.drain([1])
            await until(lambda: len(drained) == 2, what="another drain by the same lane")
    of_environment = isinstance(error, OSError | PyMongoError)
    assert [line["event"] for line in lines] == ["drain failed" if of_environment else "batch is cut"]


async def test_a_partition_leased_by_another_drain_is_skipped(
    inbox: Inbox, doorbell: RecordingDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell_module, "LEASE_MILLISECONDS", 60_000)
    steps = Steps()
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH)
    async with doorbell.lease([1]), running(drainer.run()):
        await drainer.drain([1])
        await drainer.drain([1, 2])
        await steps_are(steps, [[2]])
    assert doorbell.rings == []


async def steps_are(steps: Steps, asked: list[list[int]]) -> None:
    await until(lambda: len(steps.asked) >= len(asked), what=f"steps for {asked}")
    assert steps.asked == asked


@pytest.mark.parametrize(
    "ring", [None, 7, "12", {1: 2}, [True], [-1], [PARTITIONS], ["1"], [1, None], [[1]], [1.0], [1] * 5000]
)
async def test_a_malformed_ring_is_logged_and_dropped(inbox: Inbox, doorbell: RecordingDoorbell, ring: Any) -> None:
    steps = Steps()
    drainer = Drainer(inbox, doorbell, steps.step, batch_rows=BATCH)
    with capture_logs() as lines:
        async with running(drainer.run()):
            await drainer.drain(ring)
            await drainer.drain([1])
            await steps_are(steps, [[1]])
    assert [line["event"] for line in lines] == ["malformed ring dropped"]


async def test_idle_lanes_beat_and_a_stuck_lane_is_detected(
    inbox: Inbox, doorbell: RecordingDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drainers, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "MAX_SILENT_SECONDS", 0.5)
    begun = asyncio.Event()

    async def stuck(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    async def is_alive() -> bool:
        return drainer.heartbeat.is_alive()

    async def is_stuck() -> bool:
        return not drainer.heartbeat.is_alive()

    drainer = Drainer(inbox, doorbell, stuck, batch_rows=BATCH)
    assert not drainer.heartbeat.is_alive(), "no lane runs"
    async with running(drainer.run(), drainer.run()):
        await eventually(is_alive, what="running lanes are alive")
        first = drainer.heartbeat.turns()

        async def all_have_turned() -> bool:
            turns = drainer.heartbeat.turns()
            return len(turns) == 2 and all(turns[lane] > first.get(lane, 0) for lane in turns)

        await eventually(all_have_turned, what="idle lanes beat")
        await drainer.drain([1])
        await begun.wait()
        await eventually(is_stuck, what="the stuck lane is detected although the other one beats")
    assert not drainer.heartbeat.turns(), "expected no lane after the end"
