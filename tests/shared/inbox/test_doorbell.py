"""Rings become messages, and rings for the same partition are merged."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from shared.inbox import doorbell as doorbell_module
from shared.inbox.doorbell import MAX_TOGETHER, Doorbell
from shared.tasks import running
from testkit.waiting import eventually
from tests.shared.inbox.doorbell_pair import DoorbellPair

pytestmark = pytest.mark.usefixtures("long_leases")


async def test_a_ring_is_a_message_for_the_actor_of_the_inbox(pair: DoorbellPair) -> None:
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([3])
        await pair.has_queued([3])
    (message,) = pair.messages()
    assert message.actor_name == message.queue_name == f"drain_{pair.inbox}"


async def test_rings_for_one_partition_are_merged_while_a_message_is_queued(pair: DoorbellPair) -> None:
    async with running(pair.doorbell.run(), pair.other.run()):
        pair.doorbell.ring([3])
        await pair.has_queued([3])
        pair.doorbell.ring([3, 3])
        pair.doorbell.ring(iter([3, 4]))
        await pair.has_queued([3], [4])
        pair.other.ring([3, 5])
        await pair.has_queued([3], [4], [5])


async def test_rings_that_wait_together_are_sent_in_one_message(pair: DoorbellPair) -> None:
    pair.doorbell.ring([9, 2])
    pair.doorbell.ring([5, 2])
    async with running(pair.doorbell.run()):
        await pair.has_queued([2, 5, 9])


async def test_rings_that_follow_within_the_gather_time_are_sent_in_one_message(
    pair: DoorbellPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered, spans = asyncio.Event(), list[float]()

    async def gather(seconds: float) -> None:
        spans.append(seconds)
        await gathered.wait()

    # The time passes when the test says so.
    monkeypatch.setattr(doorbell_module, "asyncio", Mock(wraps=asyncio, sleep=gather))
    doorbell = Doorbell(pair.broker, pair.inbox, gather_seconds=0.5)
    async with running(doorbell.run()):
        doorbell.ring([1])
        await pair.has_queued([1])
        for partition in (2, 3, 4):
            doorbell.ring([partition])
            await asyncio.sleep(0)
        gathered.set()
        await pair.has_queued([1], [2, 3, 4])
    assert spans[0] == 0.5


async def test_one_message_has_a_limited_number_of_partitions(pair: DoorbellPair) -> None:
    partitions = list(range(MAX_TOGETHER + 2))
    pair.doorbell.ring(partitions)
    async with running(pair.doorbell.run()):
        await pair.has_queued(partitions[:MAX_TOGETHER], partitions[MAX_TOGETHER:])


async def test_each_inbox_has_its_own_rings_and_leases(
    pair: DoorbellPair, make_pair: Callable[[str], DoorbellPair], redis_url: str
) -> None:
    neighbour = make_pair(redis_url)
    async with running(pair.doorbell.run(), neighbour.doorbell.run()), neighbour.doorbell.lease([3]) as lease:
        pair.doorbell.ring([3])
        await pair.has_queued([3])
        assert neighbour.queued() == []
        async with pair.doorbell.lease([3]) as own:
            assert own.partitions == lease.partitions == [3]


async def test_a_ring_without_a_drain_expires(pair: DoorbellPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell_module, "RING_MILLISECONDS", 50)
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([3])
        await pair.has_queued([3])

        async def rings_again() -> bool:
            pair.doorbell.ring([3])
            return len(pair.queued()) > 1

        await eventually(rings_again, what="the next ring gets through")


async def test_every_key_in_redis_expires(pair: DoorbellPair) -> None:
    async with running(pair.doorbell.run()), pair.doorbell.lease([1]):
        pair.doorbell.ring([1, 2])
        await pair.has_queued([1, 2])
        keys = pair.broker.client.keys(f"leadscore:{pair.inbox}:*")
        assert len(keys) == 4
        longest = {key: doorbell_module.CRASH_COUNT_MILLISECONDS if b":crashes:" in key else 60_000 for key in keys}
        assert all(0 < pair.broker.client.pttl(key) <= longest[key] for key in keys)


async def test_a_ring_for_no_partition_sends_nothing(pair: DoorbellPair) -> None:
    pair.doorbell.ring([])
    assert not pair.doorbell._wake.is_set()


async def test_values_that_are_no_partitions_are_not_rung_for(pair: DoorbellPair) -> None:
    odd: list[Any] = [True, "4", None, -1, 4096, 2.0, [5]]
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([*odd, 3])
        await pair.has_queued([3])
