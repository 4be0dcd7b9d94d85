"""Whatever is killed, an acknowledged event is scored once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio

from shared.pb.ingest.v1 import ingest_pb2
from tests.conftest import eventually
from tests.e2e.load import all_scored, make_events, scores, send, violations
from tests.system import System, running_system


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[System]:
    """A system that this test may break."""
    with running_system(tmp_path) as system:
        yield system


async def test_kill_the_worker_in_the_middle(fresh: System) -> None:
    sending = asyncio.create_task(send(fresh, make_events(6000, leads=60, seed=4), clients=2))
    await _some_are_scored(fresh)
    fresh.kill("scoring-worker")
    assert await sending == {ingest_pb2.OUTCOME_ACCEPTED: 6000}
    fresh.start("scoring-worker")
    await all_scored(fresh, within=30)
    assert await violations(fresh) == []
    await fresh.close_channels()


async def test_flush_redis_in_the_middle(fresh: System) -> None:
    sending = asyncio.create_task(send(fresh, make_events(6000, leads=60, seed=5), clients=2))
    await _some_are_scored(fresh)
    async with redis.asyncio.Redis.from_url(fresh.redis.url) as client:
        await client.flushall()
    assert await sending == {ingest_pb2.OUTCOME_ACCEPTED: 6000}
    await all_scored(fresh, within=30)
    assert await violations(fresh) == []
    await fresh.close_channels()


async def test_kill_everything_at_once(fresh: System) -> None:
    events = make_events(6000, leads=60, seed=6)
    sending = asyncio.create_task(send(fresh, events, clients=2))
    await _some_are_scored(fresh)
    names = ("ingest", "scoring", "automation", "intelligence", "scoring-worker", "automation-worker")
    for name in names:
        fresh.kill(name)
    for name in names:
        fresh.start(name)
    outcomes = await sending
    fresh.wait_until_serving("ingest", "scoring")
    assert outcomes[ingest_pb2.OUTCOME_ACCEPTED] + outcomes[ingest_pb2.OUTCOME_DUPLICATE] == 6000
    await all_scored(fresh, within=30)
    assert await violations(fresh) == []
    found = await scores(fresh)
    assert await send(fresh, events) == {ingest_pb2.OUTCOME_DUPLICATE: 6000}
    assert await scores(fresh) == found
    await fresh.close_channels()


async def _some_are_scored(system: System) -> None:
    async def some() -> bool:
        return bool(await scores(system))

    await eventually(some, within=20, what="the first events are scored")
