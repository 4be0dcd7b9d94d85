"""Calls get slots in the order in which they arrive; those that would wait too long are refused."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shared.rpc import admission as module
from shared.rpc.admission import MAX_WAITING, RETRY_SECONDS, SLOT_BYTES, Admission
from shared.rpc.errors import Overloaded
from tests.shared.waiting import until

LONG = 60.0


WHOLE_QUEUE = (MAX_WAITING - 1) * SLOT_BYTES
"""Size in bytes of a request that fills the whole queue."""


class Calls:
    """Calls that keep their slots until the test ends them, in the order of their admission."""

    def __init__(self, admission: Admission) -> None:
        self.inside: list[str] = []
        self._admission = admission
        self._may_end: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *names: str, size: int = 0, seconds: float = LONG) -> None:
        """Starts calls and lets each run until it waits."""
        for name in names:
            self._may_end[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._call(name, size, seconds))
        await settled()

    async def end(self, *names: str) -> None:
        """Ends admitted calls."""
        for name in names:
            self._may_end[name].set()
        await settled()

    async def cancel(self, name: str) -> None:
        """Cancels a call."""
        self._tasks[name].cancel()
        await settled()

    async def outcome(self, name: str) -> BaseException | None:
        """Returns what a call failed with."""
        (found,) = await asyncio.gather(self._tasks[name], return_exceptions=True)
        return found

    async def _call(self, name: str, size: int, seconds: float) -> None:
        async with self._admission.slot(size, seconds):
            self.inside.append(name)
            try:
                await self._may_end[name].wait()
            finally:
                self.inside.remove(name)


async def settled() -> None:
    """Lets every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_more_calls_are_admitted_than_there_are_slots() -> None:
    calls = Calls(Admission(2, LONG))
    await calls.start("a", "b", "c", "d")
    assert calls.inside == ["a", "b"]
    await calls.end("a")
    assert calls.inside == ["b", "c"]
    await calls.end("b", "c", "d")
    assert calls.inside == []


async def test_the_oldest_waiting_call_is_next_even_if_a_later_one_would_fit() -> None:
    calls = Calls(Admission(2, LONG))
    await calls.start("a", "b")
    await calls.start("large", size=SLOT_BYTES)
    await calls.start("small")
    await calls.end("a")
    assert calls.inside == ["b"], "expected one slot to be kept for the oldest"
    await calls.end("b")
    assert calls.inside == ["large"]
    await calls.end("large")
    assert calls.inside == ["small"]


async def test_a_request_takes_slots_by_its_size_but_never_more_than_there_are() -> None:
    calls = Calls(Admission(4, LONG))
    await calls.start("two", size=2 * SLOT_BYTES - 1)
    await calls.start("three", size=2 * SLOT_BYTES)
    assert calls.inside == ["two"]
    await calls.end("two")
    await calls.end("three")
    await calls.start("huge", size=100 * SLOT_BYTES)
    assert calls.inside == ["huge"]


async def test_a_call_that_waits_too_long_is_refused_with_a_retry_delay() -> None:
    calls = Calls(Admission(1, 0.01))
    await calls.start("a", "b")
    error = await calls.outcome("b")
    assert isinstance(error, Overloaded)
    assert 0.5 * RETRY_SECONDS <= error.retry_seconds <= 1.5 * RETRY_SECONDS
    await calls.end("a")
    await calls.start("c")
    assert calls.inside == ["c"], "expected the refused call to have left the queue"


async def test_a_call_waits_for_at_most_half_of_its_remaining_time() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.start("a")
    await calls.start("b", seconds=0.02)
    assert isinstance(await calls.outcome("b"), Overloaded)


async def test_a_call_past_its_deadline_is_not_started() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.start("late", seconds=0.0)
    assert isinstance(await calls.outcome("late"), TimeoutError)


async def test_a_full_queue_refuses_immediately() -> None:
    calls = Calls(Admission(MAX_WAITING, LONG))
    await calls.start("a", "b", size=WHOLE_QUEUE)
    await calls.start("c")
    async with asyncio.timeout(LONG / 2):
        assert isinstance(await calls.outcome("c"), Overloaded)
    await calls.end("a")
    assert calls.inside == ["b"], "expected it to have waited, since only then was the queue full"


async def test_the_queue_has_the_same_length_with_few_slots() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.start("a", "b", size=WHOLE_QUEUE)
    await calls.start("c")
    async with asyncio.timeout(LONG / 2):
        assert isinstance(await calls.outcome("c"), Overloaded)
    await calls.cancel("b")
    await calls.start("d")
    await calls.end("a")
    assert calls.inside == ["d"]


async def test_a_cancelled_waiting_call_lets_the_next_one_in() -> None:
    calls = Calls(Admission(2, LONG))
    await calls.start("a")
    await calls.start("large", size=SLOT_BYTES)
    await calls.start("small")
    assert calls.inside == ["a"]
    await calls.cancel("large")
    assert calls.inside == ["a", "small"]


async def test_a_cancelled_call_releases_its_slot() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.start("a", "b")
    await calls.cancel("a")
    assert calls.inside == ["b"]


async def test_a_call_cancelled_while_it_is_being_admitted_releases_its_slot() -> None:
    admission = Admission(1, LONG)
    calls = Calls(admission)
    await calls.start("a", "b", "c")
    calls._may_end["a"].set()
    await asyncio.sleep(0)  # a has ended and b has been admitted, but has not run since
    await calls.cancel("b")
    assert calls.inside == ["c"]
    await calls.end("c")
    await calls.start("d")
    assert calls.inside == ["d"]


async def test_a_failed_call_releases_its_slot() -> None:
    admission = Admission(1, LONG)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.slot(0, LONG):
                raise ZeroDivisionError
    calls = Calls(admission)
    await calls.start("a")
    assert calls.inside == ["a"]


async def test_refusals_share_one_log_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)

    def shut() -> None:
        raise Overloaded(1.0)

    calls = Calls(Admission(1, LONG, shut))
    with capture_logs() as lines:
        await calls.start("a", "b", "c")
        await until(lambda: lines, what="the line")
    assert [(line["event"], line["count"]) for line in lines] == [("calls refused", 3)]
