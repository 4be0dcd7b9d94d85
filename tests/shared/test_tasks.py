"""Background tasks live as long as their block; one that ends before ends the block."""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine

import pytest
from structlog.testing import capture_logs

from shared import tasks
from shared.tasks import BackgroundTaskEnded, running, to_the_end, unhurried


class Task:
    """Records its start and its end, and takes a moment to end."""

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


async def test_tasks_run_beside_the_block_and_end_with_it() -> None:
    first, second = Task(), Task()
    async with running(first.run(), second.run()):
        await asyncio.wait_for(asyncio.gather(first.started.wait(), second.started.wait()), 30)
        assert not first.ended
    assert first.ended
    assert second.ended


async def test_tasks_end_when_the_block_fails() -> None:
    task = Task()

    async def block() -> None:
        async with running(task.run()):
            await task.started.wait()
            await fail()

    with pytest.raises(ZeroDivisionError):
        await block()
    assert task.ended


async def leave() -> None:
    """Ends without an error."""


@pytest.mark.parametrize(("ending", "cause"), [(fail, ZeroDivisionError), (leave, type(None))])
async def test_a_task_that_ends_early_is_logged_and_ends_the_block_and_the_others(
    ending: Callable[[], Coroutine[None, None, None]], cause: type
) -> None:
    other = Task()

    async def block() -> None:
        async with running(other.run()), running(ending()):
            await asyncio.Event().wait()

    with capture_logs() as lines, pytest.raises(BackgroundTaskEnded, match=f"^{ending.__name__}$") as caught:
        await asyncio.wait_for(block(), 30)
    assert isinstance(caught.value.__cause__, cause)
    assert [(line["event"], line["task"], line["log_level"]) for line in lines] == [
        ("background task ended", ending.__name__, "error")
    ]
    assert isinstance(lines[0]["exc_info"], cause)
    assert other.ended


async def test_an_early_end_that_the_block_ignores_is_raised_after_it() -> None:
    async def block() -> None:
        async with running(fail()):
            with contextlib.suppress(asyncio.CancelledError):  # as the driver's wait_for does now and then
                await asyncio.Event().wait()

    with pytest.raises(BackgroundTaskEnded):
        await asyncio.wait_for(block(), 30)


async def test_a_timeout_in_the_block_is_raised_unchanged() -> None:
    task = Task()

    async def block() -> None:
        async with running(task.run()):
            await task.started.wait()
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await block()
    assert task.ended


async def test_a_task_that_fails_while_it_is_stopped_is_logged() -> None:
    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await fail()

    with capture_logs() as lines:
        async with running(fail_at_the_end()):
            await asyncio.sleep(0)
    assert [line["event"] for line in lines] == ["background task failed while it was stopped"]


async def test_a_task_stopped_with_its_block_is_no_failure() -> None:
    task = Task()
    with capture_logs() as lines:
        async with running(task.run()):
            await task.started.wait()
    assert lines == []


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_work_continues_after_its_caller_is_cancelled_and_its_error_is_logged(cancellations: int) -> None:
    begun, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    unheard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    async def work() -> None:
        begun.set()
        await go.wait()
        done.set()
        await fail()

    call = asyncio.create_task(to_the_end(work()))
    await begun.wait()
    call.cancel()
    ended, _ = await asyncio.wait([call], timeout=0.05)
    assert not ended, "the call is expected to last as long as the work"
    if cancellations == 2:
        call.cancel()
        await asyncio.wait([call], timeout=5)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 30)
    await asyncio.wait_for(done.wait(), 30)
    del call
    gc.collect()
    assert unheard == []


async def test_work_returns_its_result_or_raises_its_error() -> None:
    assert await to_the_end(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ZeroDivisionError):
        await to_the_end(fail())


async def test_long_work_on_many_items_lets_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "SLICE_SECONDS", 0.0)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with running(other()):
        assert await unhurried(str, range(50)) == [str(number) for number in range(50)]
    assert turns >= 49
