"""Faults of workers that run but do no work: malformed messages, lanes that hang, and paused workers."""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

from redis.asyncio import Redis

from chaos import hanging
from chaos.backlogs import record_automation_backlog, record_event_backlog
from chaos.bystanders import bystanders
from chaos.fault import Scene, fault
from chaos.process_logs import READY
from chaos.receipts import GOOD
from chaos.waiting import FRESH_SECONDS
from chaos.world import World
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
"""Arguments that no service sends with a doorbell."""
PAYLOADS: Mapping[str, bytes] = {
    "no bytes": b"",
    "no JSON": b"\x80\x04\x95garbage",
    "another JSON": b"[1, 2, 3]",
    "half a message": b'{"queue_name": "drain_events"}',
}
"""Payloads that are not valid messages."""
RINGS_SECONDS = 4.0
REPLACED_SECONDS = 20.0
"""The limit for replacing a worker that does no work.

The goal is 15 s; when everything shares two cores, a process takes some seconds to start.
"""
ZOMBIE_SECONDS = REPLACED_SECONDS + FRESH_SECONDS
"""The limit for bystanders that wait for the replaced worker."""
PATIENCE_SECONDS = 40.0
"""How long a zombie can live before the harness kills it."""
POLL_SECONDS = 0.1
VISIBLE_AGE = timedelta(seconds=3)
"""Work that has waited for longer must be reported while a worker is paused."""


@fault("malformed ring", "seventeen kinds of malformed messages in the queues of the workers")
async def malformed_ring(scene: Scene) -> None:
    """The workers discard the messages and continue."""
    async with (
        Redis.from_url(scene.world.redis.url, decode_responses=True) as redis,
        bystanders(scene, "ring", "malformed ring", delivered=True),
    ):
        for queue in QUEUES.values():
            for arguments in ARGUMENTS.values():
                await _ring(redis, queue, arguments)
            for payload in PAYLOADS.values():
                await _put(redis, queue, payload)
            await _ring(redis, queue, [[1]], actor_name="drain_nothing")
        await asyncio.sleep(RINGS_SECONDS)


def _zombie(how: str, what: str) -> None:
    @fault(f"zombie {how}", f"a worker that no longer drains anything: {what}")
    async def inject(scene: Scene) -> None:
        world, name = scene.world, scene.chance.choice(WORKERS)
        world.findings.doomed.add(name)
        hanging.plant(world.hang_file, how, INBOXES[name])
        try:
            during = f"zombie {name} {how}"
            async with bystanders(scene, "near", during, allowed=ZOMBIE_SECONDS, delivered=True, affected=name):
                await _wait_until_replaced(world, name)
        finally:
            world.hang_file.unlink()


for _how, _what in hanging.WAYS.items():
    _zombie(_how, _what)


@fault(
    "paused worker", "SIGSTOP of the automation worker with changes and deliveries waiting, then of the scoring worker"
)
async def paused_worker(scene: Scene) -> None:
    """A paused worker cannot be repaired from outside, but its backlog must be visible."""
    world = scene.world
    world.receipts.answer(GOOD, answering(503), 503)
    try:
        async with scene.load.feeding(), world.must_be_called(GOOD):
            pass
        name = "automation-worker"
        async with world.processes.frozen(name), bystanders(scene, "paused", "paused worker", affected=name):
            await _wait_until_visible(world, name)
    finally:
        world.receipts.answer(GOOD, answering(200), 200)
    async with world.processes.frozen("scoring-worker"):
        await scene.load.send(scene.load.make(3, lead="paused"))
        await _wait_until_visible(world, "scoring-worker")


async def _wait_until_visible(world: World, name: str) -> None:
    """Records the backlog until something has waited for `VISIBLE_AGE`."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        if name == "scoring-worker":
            found = await record_event_backlog(world, VISIBLE_AGE)
        else:
            found = all(await record_automation_backlog(world, VISIBLE_AGE))
        if found:
            return
        await asyncio.sleep(5 * POLL_SECONDS)
    world.findings.report_no_fault(f"nothing waited for {name}")


async def _wait_until_replaced(world: World, name: str) -> None:
    """Waits until a zombie is replaced; kills it if that does not happen in time."""
    await world.findings.until(lambda: hanging.zombie(world.hang_file) is not None, f"no {name} has become a zombie")
    pid, began = hanging.zombie(world.hang_file), time.monotonic()
    if pid is None:
        return
    while world.processes.system.pids()[name] == pid or READY not in world.processes.logs.since_start(name):
        if time.monotonic() - began > PATIENCE_SECONDS:
            world.findings.add("I16", f"{name} was a zombie for {PATIENCE_SECONDS:g} s and was not replaced")
            world.processes.kill(name)
            return
        await asyncio.sleep(POLL_SECONDS)
    took = time.monotonic() - began - world.stalls.since(began)
    if took > REPLACED_SECONDS:
        allowed = f"{REPLACED_SECONDS:g} s are allowed"
        world.findings.add("I16", f"{name} was replaced {took:.1f} s after it became a zombie; {allowed}")


async def _ring(redis: "Redis", queue: str, arguments: object, *, actor_name: str = "") -> None:
    message = {
        "queue_name": queue,
        "actor_name": actor_name or queue,
        "args": arguments,
        "kwargs": {},
        "options": {},
        "message_id": str(uuid4()),
        "message_timestamp": int(time.time() * 1000),
    }
    await _put(redis, queue, json.dumps(message).encode())


async def _put(redis: "Redis", queue: str, payload: bytes) -> None:
    """Puts a message into a queue as the broker does."""
    await redis.rpush(f"leadscore:dramatiq:{queue}", payload)
