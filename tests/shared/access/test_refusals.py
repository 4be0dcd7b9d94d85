"""Answers to wrong keys are held, within limits."""

import asyncio
import time

import pytest
import structlog.testing

from shared.access import refusals
from shared.access.refusals import Refusals
from testkit.waiting import eventually


@pytest.fixture
def _hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "HOLD_SECONDS", 3600.0)


async def are_held(held: Refusals, calls: int) -> list[bool]:
    """Returns which of some calls are held, and lets these leave."""
    holding = [asyncio.create_task(held.hold(100, None)) for _ in range(calls)]
    for _ in range(10):
        await asyncio.sleep(0)
    found = [not each.done() for each in holding]
    for each in holding:
        each.cancel()
    await asyncio.gather(*holding, return_exceptions=True)
    return found


async def test_an_answer_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "HOLD_SECONDS", 0.2)
    began = time.monotonic()
    await Refusals().hold(100, None)
    assert time.monotonic() - began >= 0.19


@pytest.mark.usefixtures("_hold_for_ever")
async def test_a_caller_still_gets_its_answer_before_its_deadline() -> None:
    async with asyncio.timeout(60):
        await Refusals().hold(100, 0.02)


@pytest.mark.usefixtures("_hold_for_ever")
@pytest.mark.parametrize(("limit", "value"), [("MAX_HELD", 3), ("MAX_HELD_BYTES", 300)])
async def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(refusals, limit, value)
    held = Refusals()
    assert await are_held(held, 5) == [True, True, True, False, False]
    assert await are_held(held, 1) == [True], "there should be room again"


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


@pytest.mark.usefixtures("_hold_for_ever")
async def test_a_caller_who_leaves_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_HELD", 1)
    held = Refusals()
    assert await are_held(held, 1) == [True]
    assert await are_held(held, 1) == [True], "expected the call that has left to take no room"
