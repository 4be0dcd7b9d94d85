"""An upgrade without a pause: migrate while the former version runs, then both versions beside each other."""

import asyncio
from typing import Any

import pymongo

from testkit.system import System
from testkit.traffic import all_scored, make_events, scores, send, violations
from testkit.waiting import eventually
from tests.e2e.next_version import FIELD, OLDEST

NEXT = "tests.e2e.next_version"


async def test_two_versions_run_beside_each_other(system: System) -> None:
    sending = asyncio.create_task(send(system, make_events(2_000, leads=40, seed=1, prefix="first-")))
    await asyncio.to_thread(system.run, "scoring", "migrate", module=NEXT)
    await sending

    await asyncio.to_thread(system.start, "scoring-worker-2", module=NEXT)
    await asyncio.to_thread(system.wait_until_serving, "scoring-worker-2")
    await send(system, make_events(2_000, leads=40, seed=2, prefix="second-"))
    await all_scored(system)

    # The next version stops once, as in a rollback, and the former one goes on with what it wrote.
    assert await asyncio.to_thread(system.stop, "scoring-worker-2") == 0
    await asyncio.to_thread(system.stop, "scoring")
    await asyncio.to_thread(system.start, "scoring")
    await asyncio.to_thread(system.wait_until_serving, "scoring")
    await send(system, make_events(2_000, leads=40, seed=3, prefix="third-"))
    await all_scored(system)

    assert await violations(system) == []
    assert len(await scores(system)) == 120
    with pymongo.MongoClient[dict[str, Any]](system.mongo.uri) as client:
        database = client.get_default_database("leadscore")
        counts = {name: database[name].count_documents({FIELD: "eu"}) for name in ("score_history", "score_changes")}
        assert all(counts.values()), f"expected the next version to have written something, not {counts}"


async def test_a_version_that_is_left_behind_refuses_to_start(system: System) -> None:
    """It runs after the other test, on the same database."""
    with pymongo.MongoClient[dict[str, Any]](system.mongo.uri) as client:
        deployment = client.get_default_database("leadscore")["deployment"]
        deployment.delete_one({"_id": "scoring_schema"})
    await asyncio.to_thread(system.run, "scoring", "migrate", module=NEXT, settings={OLDEST: "2"})
    await asyncio.to_thread(system.stop, "scoring")
    await asyncio.to_thread(system.start, "scoring")

    async def has_ended() -> bool:
        return system.has_ended("scoring")

    await eventually(has_ended, what="the former version ends")
    assert system.log("scoring").splitlines()[-1] == (
        "scoring_service: the database has version 2 of the scoring schema, this program is of version 1, and 2 is the "
        "oldest that still works: install a newer leadscore"
    )
