"""Workers that live and do no work: because of a message that nobody sent, because a lane hangs, because they stand."""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

from redis.asyncio import Redis

from chaos import hanging
from chaos.backlogs import look_at_automation, look_at_events
from chaos.bystanders import bystanders
from chaos.fault import Scene, fault
from chaos.receipts import GOOD
from chaos.waiting import FRESH_SECONDS
from chaos.world import READY, World
from testkit.receiver import answering
from testkit.system import WORKERS

QUEUES = {"scoring-worker": "drain_events", "automation-worker": "drain_score_changes"}
INBOXES = {"scoring-worker": "events", "automation-worker": "score_changes"}
ARGUMENTS: Mapping[str, object] = {
    "a text in the place of a number": [["seventeen"]],
    "numbers and texts": [[1, "2"]],
    "nothing": [[None]],
    "a number below all partitions": [[-1]],
    "a number beyond all partitions": [[10**9]],
    "a number that is not whole": [[1.5]],
    "a number in the place of the list": [17],
    "a list in the list": [[[1, 2]]],
    "an object": [{"partitions": [1]}],
    "no argument": [],
    "two arguments": [[1], [2]],
    "many partitions": [list(range(10_000))],
}
"""Arguments with which no service rings."""
PAYLOADS: Mapping[str, bytes] = {
    "no bytes": b"",
    "no JSON": b"\x80\x04\x95garbage",
    "another JSON": b"[1, 2, 3]",
    "half a message": b'{"queue_name": "drain_events"}',
}
"""Messages that are none."""
MALFORMED = "malformed-"
"""The ids of such messages begin so."""
RINGS_SECONDS = 4.0
REPLACED_SECONDS = 20.0
"""Within this time another process is at work in the place of one that does nothing.

The goal is 15 s; where everything shares two cores, a process takes some seconds to start.
"""
ZOMBIE_SECONDS = REPLACED_SECONDS + FRESH_SECONDS
"""What waits for the worker that is replaced waits for no longer."""
PATIENCE_SECONDS = 40.0
"""A zombie that lives for so long is killed by hand."""
POLL_SECONDS = 0.1
VISIBLE_AGE = timedelta(seconds=3)
"""What has waited for longer than this must be shown while a worker stands."""


@fault("malformed ring", "messages in the queues of the workers that no service sends, of seventeen kinds")
async def malformed_ring(scene: Scene) -> None:
    """They are thrown away, and the workers go on."""
    async with (
        Redis.from_url(scene.world.redis.url, decode_responses=True) as redis,
        bystanders(scene, "rung", "malformed ring", delivered=True),
    ):
        for queue in QUEUES.values():
            for arguments in ARGUMENTS.values():
                await _ring(redis, queue, arguments)
            for payload in PAYLOADS.values():
                await _put(redis, queue, f"{MALFORMED}{uuid4()}", payload)
            await _ring(redis, queue, [[1]], actor_name="drain_nothing")
        await asyncio.sleep(RINGS_SECONDS)
        await _take_back(redis)


def _zombie(how: str, what: str) -> None:
    @fault(f"zombie {how}", f"a worker in which nothing drains any more: {what}")
    async def inject(scene: Scene) -> None:
        world, name = scene.world, scene.chance.choice(WORKERS)
        world.doomed.add(name)
        hanging.plant(world.hang_file, how, INBOXES[name])
        try:
            during = f"zombie {name} {how}"
            async with bystanders(scene, "near", during, allowed=ZOMBIE_SECONDS, delivered=True, affected=name):
                await _replaced(world, name)
        finally:
            world.hang_file.unlink()


for _how, _what in hanging.WAYS.items():
    _zombie(_how, _what)


@fault(
    "paused worker", "SIGSTOP of the automation worker with changes and deliveries waiting, then of the scoring worker"
)
async def paused_worker(scene: Scene) -> None:
    """Nothing can be done about it here; but it must be seen."""
    world = scene.world
    world.receipts.answer(GOOD, answering(503), 503)
    try:
        async with scene.load.feeding(), world.must_be_called(GOOD):
            pass
        name = "automation-worker"
        async with world.frozen(name), bystanders(scene, "paused", "paused worker", affected=name):
            await _seen(world, name)
    finally:
        world.receipts.answer(GOOD, answering(200), 200)
    async with world.frozen("scoring-worker"):
        await scene.load.send(scene.load.make(3, lead="paused"))
        await _seen(world, "scoring-worker")


async def _seen(world: World, name: str) -> None:
    """Looks until something has waited for long enough to be told of."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        if name == "scoring-worker":
            found = await look_at_events(world, VISIBLE_AGE)
        else:
            found = all(await look_at_automation(world, VISIBLE_AGE))
        if found:
            return
        await asyncio.sleep(5 * POLL_SECONDS)
    world.report_no_fault(f"nothing waited for {name}")


async def _replaced(world: World, name: str) -> None:
    """Waits until a zombie is replaced, and ends it when nobody does."""
    await world.until(lambda: hanging.zombie(world.hang_file) is not None, f"no {name} has become a zombie")
    pid, began = hanging.zombie(world.hang_file), time.monotonic()
    if pid is None:
        return
    while world.system.pids()[name] == pid or READY not in world.logged(name):
        if time.monotonic() - began > PATIENCE_SECONDS:
            world.violations.append(("I16", f"{name} was a zombie for {PATIENCE_SECONDS:g} s, and nothing ended it"))
            world.kill(name)
            return
        await asyncio.sleep(POLL_SECONDS)
    took = time.monotonic() - began - world.stalls.since(began)
    if took > REPLACED_SECONDS:
        allowed = f"{REPLACED_SECONDS:g} s are allowed"
        world.violations.append(("I16", f"{name} was replaced {took:.1f} s after it had become a zombie, {allowed}"))


async def _ring(redis: "Redis", queue: str, arguments: object, *, actor_name: str = "") -> None:
    message_id = f"{MALFORMED}{uuid4()}"
    message = {
        "queue_name": queue,
        "actor_name": actor_name or queue,
        "args": arguments,
        "kwargs": {},
        "options": {"redis_message_id": message_id},
        "message_id": message_id,
        "message_timestamp": int(time.time() * 1000),
    }
    await _put(redis, queue, message_id, json.dumps(message).encode())


async def _put(redis: "Redis", queue: str, message_id: str, payload: bytes) -> None:
    """Puts a message into a queue, in the way of dramatiq."""
    await redis.hset(f"leadscore:dramatiq:{queue}.msgs", message_id, payload)
    await redis.rpush(f"leadscore:dramatiq:{queue}", message_id)


async def _take_back(redis: "Redis") -> None:
    """Removes what is left of the messages: one that cannot be read cannot be acknowledged either."""
    for queue in QUEUES.values():
        key = f"leadscore:dramatiq:{queue}.msgs"
        for message_id in await redis.hkeys(key):
            if str(message_id).startswith(MALFORMED):
                await redis.hdel(key, message_id)
