"""Old events lose their properties, and nothing else."""

import pytest

from admin_service.usecases.compaction import CompactionProgress
from scoring_service.domain.timeline import Mode
from shared.mongo import Database
from tests.admin.erasing import LEAD, World, new_world
from tests.scoring.conftest import days_ago
from tests.scoring.models import BUILT_IN


@pytest.fixture
async def world(database: Database) -> World:
    found = await new_world(database)
    await found.live()
    return found


async def compacted(world: World, days: float) -> CompactionProgress:
    return [each async for each in world.privacy.compaction.run(days_ago(days))][-1]


async def properties(world: World) -> dict[str, bool]:
    rows = world.database["score_history"].find({"lead_id": LEAD, "kind": "EVENT"})
    return {row["_id"].removeprefix(f"{LEAD}:"): "properties" in row async for row in rows}


async def test_old_events_lose_their_properties_and_all_scores_stay(world: World) -> None:
    before = await world.lead(LEAD)
    result = await compacted(world, 5)
    assert (result.done, result.leads_checked) == (True, result.leads_total)
    assert await properties(world) == {
        "1": False,
        "2": False,
        "3": False,
        "late": False,
        "view": True,
        "id": True,
    }
    assert await world.lead(LEAD) == before
    assert await world.scoring.verify() == []
    assert (await compacted(world, 5)).events_compacted == 0


async def test_old_deliveries_lose_their_bodies_unless_they_are_pending(world: World) -> None:
    executions = world.database["automation_executions"]
    await executions.update_many({}, {"$set": {"record_time": days_ago(6)}})
    assert (await compacted(world, 5)).executions_compacted == 1
    bodies = {row["rule_id"]: row["deliveries"][0]["body"] async for row in executions.find()}
    assert bodies == {"delivered": b"", "due": b'{"name": "Ada Lovelace"}'}
    assert (await compacted(world, 5)).executions_compacted == 0


async def test_a_compacted_lead_goes_on_as_if_nothing_had_happened(world: World, database: Database) -> None:
    """Late events, retractions and publications fold compacted events again."""
    await compacted(world, 1)
    await world.scoring.put(("late", LEAD, "download", days_ago(8.2)))
    await world.scoring.drain_all()
    await world.scoring.corrections.retract(f"{LEAD}:3", "wrong", "Charles")
    await world.scoring.publish(BUILT_IN, Mode.RESCORE)
    while await world.scoring.rollout.step():
        pass
    await world.scoring.run_decay(world.scoring.now)
    assert await world.scoring.verify() == []


async def test_a_compacted_lead_can_be_erased(world: World) -> None:
    await compacted(world, 1)
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert await world.traces() == []
    assert await world.scoring.verify() == []
