"""A process ends with a logged error when a part of it fails, and malformed messages do not harm a worker."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.watchdog import FAILED
from testkit.system import WORKERS, System
from testkit.traffic import all_scored, make_events, send, violations
from testkit.waiting import eventually

QUEUES = {"scoring-worker": "drain_events", "automation-worker": "drain_score_changes"}
MALFORMED: list[Any] = [
    [["a", "b"]],
    [[1, "2"]],
    [[None]],
    [[True]],
    [[-1]],
    [[64]],
    [[10**30]],
    [[1.5]],
    [list(range(64)) * 100],
    [{"1": 2}],
    ["12"],
    [7],
    [None],
    [],
    [[1], [2]],
]
"""Arguments that no doorbell has; an inbox has 64 partitions."""


def rows(log: str) -> list[dict[str, Any]]:
    """Returns the lines of a log."""
    return [json.loads(line) for line in log.splitlines()]


@pytest.fixture
async def whole(system: System) -> AsyncIterator[System]:
    """The running system, repaired after the test."""
    yield system
    for name in WORKERS:
        if system.has_ended(name):
            system.start(name)


async def test_malformed_messages_do_not_end_a_lane(system: System) -> None:
    async def each_is_logged() -> bool:
        logged = [sum("malformed" in row["event"] for row in rows(system.log(name))) for name in WORKERS]
        return logged == [len(MALFORMED)] * len(WORKERS)

    with redis.Redis.from_url(system.redis.url) as client:
        for queue in QUEUES.values():
            for number, arguments in enumerate(MALFORMED):
                message = {
                    "queue_name": queue,
                    "actor_name": queue,
                    "args": arguments,
                    "kwargs": {},
                    "options": {},
                    "message_id": f"bad-{number}",
                    "message_timestamp": 0,
                }
                client.rpush(f"leadscore:dramatiq:{queue}", json.dumps(message))
        for partition in range(64):  # and keys whose values no worker would write
            client.set(f"leadscore:events:lease:{partition}", "somebody")
            client.set(f"leadscore:events:rung:{partition}", "x")
            client.set(f"leadscore:events:crashes:{partition}", 10**15)

        async def none_waits() -> bool:
            return not any(client.llen(f"leadscore:dramatiq:{queue}") for queue in QUEUES.values())

        await send(system, make_events(50, leads=20, seed=1))
        await all_scored(system)
        await eventually(none_waits, what="no message is left in Redis")
    # A message that a worker has taken is logged a moment later.
    await eventually(each_is_logged, what="a line about each malformed message, by each worker")
    assert await violations(system) == []
    for name in WORKERS:
        log = system.log(name)
        assert not system.has_ended(name)
        assert "Traceback" not in log
        assert '"level": "error"' not in log


@pytest.mark.parametrize(
    ("how", "event"),
    [
        ("raise", "background task ended"),
        ("block", "process is stuck and ends"),
        ("lane", "process is stuck and ends"),
    ],
)
@pytest.mark.parametrize("name", WORKERS)
async def test_a_worker_ends_when_a_part_fails_and_its_replacement_continues(
    whole: System, tmp_path: Path, name: str, how: str, event: str
) -> None:
    assert whole.stop(name) == 0
    fault = tmp_path / "fail"
    settings = {"FAIL_FILE": str(fault), "FAIL_HOW": how}
    whole.start(name, module="tests.e2e.failing", settings=settings)
    await asyncio.to_thread(whole.wait_until_serving, name)
    before = len(whole.log(name))
    fault.touch()
    broke = time.monotonic()

    async def has_ended() -> bool:
        return whole.has_ended(name)

    await eventually(has_ended, what=f"{name} ends")
    seconds = time.monotonic() - broke
    assert whole.status(name) == FAILED
    logged = [row for row in rows(whole.log(name)[before:]) if row["level"] in ("error", "critical")]
    assert [row["event"] for row in logged] == [event]
    if how == "block":
        assert any("fail (failing.py" in frame for frame in logged[0]["at"])
    whole.start(name)
    await asyncio.to_thread(whole.wait_until_serving, name)
    await send(whole, make_events(20, leads=5, seed=2, prefix=f"{name}-{how}-"))
    await all_scored(whole)
    print(f"{name} {how}: ended after {seconds:.1f} s, replaced after {time.monotonic() - broke:.1f} s")  # noqa: T201


async def test_a_worker_with_a_blocked_event_loop_is_not_serving(whole: System, tmp_path: Path) -> None:
    name, fault = "scoring-worker", tmp_path / "fail"
    assert whole.stop(name) == 0
    whole.start(name, module="tests.e2e.failing", settings={"FAIL_FILE": str(fault), "FAIL_HOW": "block"})
    await asyncio.to_thread(whole.wait_until_serving, name)
    fault.touch()

    async def is_silent() -> bool:
        return not await asyncio.to_thread(whole.is_serving, name)

    await eventually(is_silent, what="nobody says that it serves")
