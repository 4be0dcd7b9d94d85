"""Faults by rows that no worker can process: they are parked, and the others are processed."""

import asyncio
from datetime import timedelta

from leadscore.automation.v1 import automation_pb2, automation_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from chaos.backlogs import record_event_backlog
from chaos.fault import Scene, fault
from chaos.poison import CURSED, KILLS, RAISES
from chaos.world import World

PARKED_SECONDS = 60.0
POLL_SECONDS = 0.2
CALL_SECONDS = 10.0
VISIBLE_AGE = timedelta(seconds=2)
"""A row that is retried repeatedly must be reported once it is this old, with its true age."""


@fault(
    "poison",
    "an event that fails, one that kills its worker, and a change that fails; an operator retries them",
)
async def poison(scene: Scene) -> None:
    """They are parked after several attempts; when the cause is fixed and they are retried, they count once."""
    world, load = scene.world, scene.load
    raising, killing, cursed = [*load.make(2), *load.make(1, lead=CURSED)]
    raising.event_type, killing.event_type, cursed.event_type = RAISES, KILLS, "signup"
    bad = {raising.event_id, killing.event_id}
    world.journal.parked |= bad
    world.poison_file.touch()
    try:
        await load.send([raising, killing, cursed])
        if not await _parked(world, bad, cursed.lead_id):
            what = f"not all of {sorted(bad)} and a change of {cursed.lead_id}"
            world.findings.add("I13", f"{what} were parked within {PARKED_SECONDS:g} s")
    finally:
        world.poison_file.unlink()
        await _retry(world)
        world.journal.parked -= bad


async def _parked(world: World, events: set[str], cursed: str) -> bool:
    """Returns whether the events and a change of the cursed lead have been parked.

    The id of the change depends on the entries that decay adds with the event, which may have waited for a while.
    """
    which = {"_id": {"$in": sorted(events)}, "state": "parked"}
    change = {"changes.lead_id": cursed, "state": "parked"}
    for _ in range(round(PARKED_SECONDS / POLL_SECONDS)):
        parked = await world.database["events"].count_documents(which)
        if parked == len(events) and await world.database["score_changes"].find_one(change):
            return True
        await record_event_backlog(world, VISIBLE_AGE)
        await asyncio.sleep(POLL_SECONDS)
    return False


async def _retry(world: World) -> None:
    scoring = scoring_pb2_grpc.ScoringServiceStub(world.channel("scoring"))
    automation = automation_pb2_grpc.AutomationServiceStub(world.channel("automation"))
    await scoring.RetryParkedEvents(scoring_pb2.RetryParkedEventsRequest(all=True), timeout=CALL_SECONDS)
    await automation.RetryParkedChanges(automation_pb2.RetryParkedChangesRequest(all=True), timeout=CALL_SECONDS)
