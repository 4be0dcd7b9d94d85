"""An acknowledged event is scored exactly once, whichever process is killed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2
from pymongo import AsyncMongoClient

from chaos import crash_points
from testkit.system import System, running_system
from testkit.traffic import all_scored, make_events, scores, send, violations
from testkit.waiting import eventually

AFTER_A_COMMIT = "scoring: after the commit before the doorbell"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[System]:
    """A system of its own, which the test can break."""
    with running_system(tmp_path) as system:
        yield system


async def test_kill_the_worker_in_the_middle(fresh: System) -> None:
    sending = asyncio.create_task(send(fresh, make_events(6000, leads=60, seed=4), clients=2))
    await _some_are_scored(fresh)
    fresh.kill("scoring-worker")
    assert await sending == {ingest_pb2.OUTCOME_ACCEPTED: 6000}
    fresh.start("scoring-worker")
    await all_scored(fresh)
    assert await violations(fresh) == []
    await fresh.close_channels()


async def test_flush_redis_in_the_middle(fresh: System) -> None:
    sending = asyncio.create_task(send(fresh, make_events(6000, leads=60, seed=5), clients=2))
    await _some_are_scored(fresh)
    async with redis.asyncio.Redis.from_url(fresh.redis.url) as client:
        await client.flushall()
    assert await sending == {ingest_pb2.OUTCOME_ACCEPTED: 6000}
    await all_scored(fresh)
    assert await violations(fresh) == []
    await fresh.close_channels()


async def test_kill_everything_at_once(fresh: System) -> None:
    events = make_events(6000, leads=60, seed=6)
    sending = asyncio.create_task(send(fresh, events, clients=2))
    await _some_are_scored(fresh)
    names = ("ingest", "scoring", "automation", "intelligence", "admin", "scoring-worker", "automation-worker")
    for name in names:
        fresh.kill(name)
    for name in names:
        fresh.start(name)
    outcomes = await sending
    fresh.wait_until_serving("ingest", "scoring")
    assert outcomes[ingest_pb2.OUTCOME_ACCEPTED] + outcomes[ingest_pb2.OUTCOME_DUPLICATE] == 6000
    await all_scored(fresh)
    assert await violations(fresh) == []
    found = await scores(fresh)
    assert await send(fresh, events) == {ingest_pb2.OUTCOME_DUPLICATE: 6000}
    assert await scores(fresh) == found
    await fresh.close_channels()


async def test_kill_the_worker_in_the_middle_of_a_rescore(fresh: System) -> None:
    await send(fresh, make_events(6000, leads=1500, seed=8), batch=500, clients=2)
    await all_scored(fresh)
    before = await scores(fresh)
    fresh.kill("scoring-worker")
    publication = await _publish_twice_the_points(fresh)
    # It dies after the second transaction, each of which updates no more than a page of leads.
    settings = {crash_points.AT: AFTER_A_COMMIT, crash_points.PASS: "2"}
    fresh.start("scoring-worker", module="chaos.armed", settings=settings)

    async def has_died() -> bool:
        return fresh.has_ended("scoring-worker")

    await eventually(has_died, what=f"the worker dies: {AFTER_A_COMMIT}")
    assert 0 < await _leads_left(fresh, publication) < 1500, "expected it to die in the middle"
    assert await violations(fresh) == []
    fresh.start("scoring-worker")

    async def all_are_reached() -> bool:
        return await _leads_left(fresh, publication) == 0

    await eventually(all_are_reached, what="the rollout is done")
    after = await scores(fresh)
    assert await violations(fresh) == []
    async with AsyncMongoClient[dict[str, Any]](fresh.mongo.uri) as client:
        history = client["leadscore"]["score_history"]
        reached = [row["lead_id"] async for row in history.find({"kind": "MODEL"}, {"lead_id": 1})]
    # No stage changes without its score here, so each changed lead has one entry, as it would without the kill.
    assert sorted(reached) == sorted(lead for lead, score in after.items() if score != before[lead])
    assert len(reached) > 1000
    await fresh.close_channels()


async def _publish_twice_the_points(system: System) -> int:
    stub = system.scoring()
    model = (await stub.GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30)).scoring_model
    for rule in model.rules:
        rule.points *= 2
    created = await stub.CreateScoringModel(scoring_pb2.CreateScoringModelRequest(scoring_model=model), timeout=30)
    request = scoring_pb2.PublishScoringModelRequest(
        version=created.scoring_model.version,
        base_version=1,
        mode=scoring_pb2.PUBLICATION_MODE_RESCORE,
        actor="tester",
    )
    return (await stub.PublishScoringModel(request, timeout=30)).publication.publication


async def _leads_left(system: System, publication: int) -> int:
    answer = await system.scoring().ListModelPublications(scoring_pb2.ListModelPublicationsRequest(), timeout=30)
    return next(each.leads_left for each in answer.publications if each.publication == publication)


async def _some_are_scored(system: System) -> None:
    async def some() -> bool:
        return bool(await scores(system))

    await eventually(some, what="the first events are scored")
