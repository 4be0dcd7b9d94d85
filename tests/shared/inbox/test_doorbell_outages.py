"""A Redis that is unavailable, slow, full or emptied delays neither rings nor drains for long."""

import asyncio
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from cli.local.embedded import EmbeddedRedis
from shared.inbox import broker as brokers
from shared.tasks import running
from tests.shared.inbox.doorbell_pair import SOON, DoorbellPair
from tests.shared.waiting import until

pytestmark = pytest.mark.usefixtures("long_leases")


SLACK = 20.0


LOOKS = 10
"""Turns that an unblocked event loop takes at least while a ring waits for a hanging Redis."""


NOBODY = "redis://127.0.0.1:1/0"


async def test_without_redis_a_ring_does_nothing_and_a_lease_has_all_partitions(
    make_pair: Callable[[str], DoorbellPair],
) -> None:
    pair = make_pair(NOBODY)
    with capture_logs() as lines:
        async with running(pair.doorbell.run()):
            for _ in range(2):
                pair.doorbell.ring([3])
                await until(lambda: not pair.doorbell._waiting, what="the ring was tried")
            async with pair.doorbell.lease([1, 2]) as lease, pair.other.lease([1, 2]) as other:
                assert list(lease.partitions) == list(other.partitions) == [1, 2]
                await pair.doorbell.renew(lease)
    assert [line["event"] for line in lines] == ["redis is unavailable; the sweeper will ring"], "expected one line"


async def test_rings_work_again_after_redis_has_restarted(
    own_redis: EmbeddedRedis, make_pair: Callable[[str], DoorbellPair]
) -> None:
    pair = make_pair(own_redis.url)
    with capture_logs() as lines:
        async with running(pair.doorbell.run()):
            pair.doorbell.ring([1])
            await pair.has_queued([1])
            own_redis.kill()
            pair.doorbell.ring([2])
            await until(lambda: lines, what="a log line about the unavailable Redis")
            async with pair.doorbell.lease([1, 2]) as lease:
                assert list(lease.partitions) == [1, 2]
                own_redis.start()
            pair.doorbell.ring([3])
            await pair.has_queued([3])


async def test_a_hanging_redis_blocks_neither_rings_nor_the_event_loop(
    black_hole: str, make_pair: Callable[[str], DoorbellPair]
) -> None:
    pair = make_pair(black_hole)
    turns = 0

    async def watch_the_loop() -> None:
        nonlocal turns
        while not lines:
            turns += 1
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    with capture_logs() as lines:
        async with running(pair.doorbell.run(), watch_the_loop()):
            started = time.monotonic()
            pair.doorbell.ring([1])
            await until(lambda: lines, what="the ring is given up")
            given_up = time.monotonic() - started
    assert given_up < SOON + SLACK
    assert turns > LOOKS, "expected the event loop to keep running"


async def test_a_hanging_redis_delays_a_drain_only_briefly(
    black_hole: str, make_pair: Callable[[str], DoorbellPair]
) -> None:
    pair = make_pair(black_hole)
    started = time.monotonic()
    async with pair.doorbell.lease([1, 2]) as lease:
        assert list(lease.partitions) == [1, 2]
        await pair.doorbell.renew(lease)
    assert time.monotonic() - started < 3 * SOON + SLACK


async def test_a_redis_that_hangs_during_a_lease_counts_as_unavailable(
    own_redis: EmbeddedRedis, make_pair: Callable[[str], DoorbellPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "REDIS_SECONDS", SOON)
    pair = make_pair(own_redis.url)
    async with pair.doorbell.lease([1]) as lease:
        pair.other._broker.client.execute_command("CLIENT", "PAUSE", "60000")  # type: ignore[no-untyped-call]
        started = time.monotonic()
        await pair.doorbell.renew(lease)
    assert time.monotonic() - started < 2 * SOON + SLACK


async def test_a_full_redis_counts_as_unavailable(
    own_redis: EmbeddedRedis, make_pair: Callable[[str], DoorbellPair]
) -> None:
    pair = make_pair(own_redis.url)
    pair.broker.client.config_set("maxmemory", "1")
    with capture_logs() as lines:
        async with running(pair.doorbell.run()):
            pair.doorbell.ring([1])
            await until(lambda: lines, what="a log line about the unavailable Redis")
            async with pair.doorbell.lease([1]) as lease:
                assert list(lease.partitions) == [1]
            pair.broker.client.config_set("maxmemory", "0")
            pair.doorbell.ring([2])
            await pair.has_queued([2])
    assert "maxmemory" in lines[0]["error"]


async def test_rings_work_again_after_redis_has_lost_its_data(
    own_redis: EmbeddedRedis, make_pair: Callable[[str], DoorbellPair]
) -> None:
    pair = make_pair(own_redis.url)
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([3])
        await pair.has_queued([3])
        pair.broker.client.flushall()
        pair.broker.client.script_flush()
        pair.doorbell.ring([3])
        await pair.has_queued([3])


async def test_a_lease_that_redis_has_lost_can_be_taken_by_another(
    own_redis: EmbeddedRedis, make_pair: Callable[[str], DoorbellPair]
) -> None:
    pair = make_pair(own_redis.url)
    async with pair.doorbell.lease([1]) as first:
        pair.broker.client.flushall()
        await pair.doorbell.renew(first)
        async with pair.other.lease([1]) as second:
            assert second.partitions == [1]
    assert pair.queued() == []
