"""Background tasks live as long as their block, and one that fails is heard of."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shared import tasks
from shared.tasks import running


class Task:
    """Notes when it started and when it was told to end, and takes its time to end."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended = False

    async def run(self) -> None:
        """Runs until it is cancelled."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True


async def fail() -> None:
    raise ZeroDivisionError


async def test_tasks_run_beside_the_block_and_have_ended_after_it() -> None:
    first, second = Task(), Task()
    async with running(first.run(), second.run()):
        await asyncio.wait_for(asyncio.gather(first.started.wait(), second.started.wait()), 5)
        assert not first.ended
    assert first.ended
    assert second.ended


async def test_they_end_when_the_block_fails() -> None:
    task = Task()

    async def block() -> None:
        async with running(task.run()):
            await task.started.wait()
            await fail()

    with pytest.raises(ZeroDivisionError):
        await block()
    assert task.ended


async def test_one_that_fails_is_logged_and_harms_neither_the_block_nor_the_others() -> None:
    other = Task()
    failing = asyncio.Event()

    async def fail_and_tell() -> None:
        failing.set()
        await fail()

    with capture_logs() as lines:
        async with running(fail_and_tell(), other.run()):
            await asyncio.wait_for(asyncio.gather(failing.wait(), other.started.wait()), 5)
            assert not other.ended
    assert [(line["event"], line["log_level"]) for line in lines] == [("background task failed", "error")]
    assert isinstance(lines[0]["exc_info"], ZeroDivisionError)


async def test_one_that_returns_or_is_cancelled_is_no_failure() -> None:
    task = Task()
    with capture_logs() as lines:
        async with running(asyncio.sleep(0), task.run()):
            await task.started.wait()
    assert lines == []


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PATIENCE_SECONDS", 0.01)
    swallowed: list[str] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append("once")

    async with asyncio.timeout(5):
        async with running(stubborn()):
            await asyncio.sleep(0)
    assert swallowed == ["once"]
