"""Answers to wrong keys are held, within limits."""

import asyncio
import time

import pytest
import structlog.testing

from shared.access import refusals
from shared.access.refusals import Refusals
from testkit.waiting import eventually


@pytest.fixture(autouse=True)
def _hold_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "HOLD_SECONDS", 0.2)


async def seconds_to_answer(held: Refusals, *, size: int = 100, seconds_left: float | None = None) -> float:
    began = time.monotonic()
    await held.hold(size, seconds_left)
    return time.monotonic() - began


async def test_an_answer_is_held() -> None:
    assert await seconds_to_answer(Refusals()) >= 0.19


async def test_a_caller_still_gets_its_answer_before_its_deadline() -> None:
    assert await seconds_to_answer(Refusals(), seconds_left=0.02) < 0.19


@pytest.mark.parametrize(("limit", "value"), [("MAX_HELD", 3), ("MAX_HELD_BYTES", 300)])
async def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(refusals, limit, value)
    held = Refusals()
    times = await asyncio.gather(*(seconds_to_answer(held) for _ in range(5)))
    assert sorted(each >= 0.19 for each in times) == [False, False, True, True, True]
    assert await seconds_to_answer(held) >= 0.19, "there should be room again"


async def test_however_many_keys_are_tried_there_is_one_line_per_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "REPORT_SECONDS", 0.05)
    refused = Refusals()

    async def others_are_reported() -> bool:
        return len(lines) > 1

    with structlog.testing.capture_logs() as lines:
        for _ in range(10_000):
            refused.count(_Caller())
        assert [line["count"] for line in lines] == [1]
        await eventually(others_are_reported, what="the others are reported")
    assert [line["count"] for line in lines] == [1, 9_999]


class _Caller:
    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"


async def test_a_caller_who_leaves_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_HELD", 1)
    held = Refusals()
    waiting = asyncio.create_task(held.hold(1, None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await seconds_to_answer(held) >= 0.19
