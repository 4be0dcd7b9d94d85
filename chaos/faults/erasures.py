"""A fault in which leads are erased while their events flow and processes are killed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import grpc
from leadscore.admin.v1 import admin_pb2

from chaos.crash_points import POINTS
from chaos.fault import Scene, fault
from shared import wire

EVENTS = 8
"""Enough events for a lead to reach the score at which the rules fire."""
PAUSE_SECONDS = 0.1
CALL_SECONDS = 15.0
HISTORY_SECONDS = 30.0
"""The time within which a new lead must have a history."""
ERASED_SECONDS = 60.0
"""The time within which one of the repeated calls must succeed."""
DONE_SECONDS = 90.0
"""The time within which all erasures must be done."""
OTHERS = ("ingest", "scoring", "scoring-worker", "automation-worker")


@fault(
    "leads erased",
    "leads are erased while their events flow; the admin server dies at each of its crash points, others at any time",
)
async def leads_erased(scene: Scene) -> None:
    """The caller repeats each erasure until it succeeds.

    In the end the admin server dies again, and no longer knows whose erasures are not done yet.
    """
    processes = scene.world.processes
    points = [name for name, point in POINTS.items() if point.process == "admin"]
    scene.chance.shuffle(points)
    for number, point in enumerate(points):
        before = scene.world.crashes()[point]
        async with _flowing(scene, number) as lead_id:
            await processes.arm(point, 1)
            await _erase(scene, lead_id)
        if scene.world.crashes()[point] == before:
            scene.world.findings.report_no_fault(f"{point!r} was not passed")
    for number, name in enumerate(OTHERS, len(points)):
        async with _flowing(scene, number) as lead_id:
            erasing = asyncio.create_task(_erase(scene, lead_id))
            await asyncio.sleep(scene.chance.uniform(0, PAUSE_SECONDS))
            processes.kill(name)
            await erasing
    processes.kill("admin")
    await _done(scene)


@contextlib.asynccontextmanager
async def _flowing(scene: Scene, number: int) -> AsyncIterator[str]:
    """Yields a lead that has a history. Further events of it keep coming while the block runs."""
    name, is_over = f"ada-{number}@example.com", False
    lead_id = scene.load.lead_id(name)

    async def send(events: int) -> None:
        made = scene.load.make(events, lead=name)
        for each in made:
            each.properties.MergeFrom(wire.to_struct({"name": f"{lead_id}, Countess of Lovelace"}))
        await scene.load.send(made)

    async def flow() -> None:
        while not is_over:
            await send(1)
            await asyncio.sleep(PAUSE_SECONDS)

    await send(EVENTS)
    await _until_recorded(scene, lead_id)
    flowing = asyncio.create_task(flow())
    try:
        yield lead_id
    finally:
        is_over = True
        await flowing


async def _until_recorded(scene: Scene, lead_id: str) -> None:
    ends = time.monotonic() + HISTORY_SECONDS
    while not await scene.world.database["score_history"].find_one({"lead_id": lead_id}, {"_id": 1}):
        if time.monotonic() > ends:
            scene.world.findings.report_no_fault(f"{lead_id} has no history")
            return
        await asyncio.sleep(PAUSE_SECONDS)


async def _erase(scene: Scene, lead_id: str) -> None:
    """Erases a lead, with one request id, until a call succeeds."""
    entries = await scene.world.database["score_history"].count_documents({"lead_id": lead_id})
    scene.world.journal.erased[lead_id] = entries
    request = admin_pb2.EraseLeadRequest(lead_id=lead_id, request_id=f"forget {lead_id}", actor="chaos")
    ends = time.monotonic() + ERASED_SECONDS
    while time.monotonic() < ends:
        code, _ = await scene.load.call(
            "EraseLead", lambda: scene.load.admin.EraseLead(request, timeout=CALL_SECONDS), deadline=CALL_SECONDS
        )
        if code is grpc.StatusCode.OK:
            return
        await asyncio.sleep(PAUSE_SECONDS)
    scene.world.findings.add("I18", f"no call has erased lead {lead_id!r} within {ERASED_SECONDS:g} s")


async def _done(scene: Scene) -> None:
    """Waits until all erasures are done; the checker reports those that are not."""
    ends = time.monotonic() + DONE_SECONDS
    while time.monotonic() < ends:
        if not await scene.world.database["erasures"].find_one({"state": {"$ne": "done"}}):
            return
        await asyncio.sleep(PAUSE_SECONDS)
