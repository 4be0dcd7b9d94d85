"""An upgrade without a pause: migrate while the former version runs, then both versions beside each other."""

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

import pymongo
from leadscore.client import AsyncClient, LeadscoreError, Targets

from testkit.system import SERVERS, System
from testkit.traffic import all_scored, make_events, scores, send, violations
from testkit.waiting import eventually
from tests.e2e.next_version import FIELD, OLDEST

NEXT = "tests.e2e.next_version"
PAUSE_SECONDS = 0.04
"""Between two calls of a steady load."""


@dataclass
class Calls:
    """Single calls that a client sends at a steady rate: when each was acknowledged, and what failed for good."""

    acknowledged: list[float] = field(default_factory=list)
    failures: list[LeadscoreError] = field(default_factory=list)

    async def send(self, client: AsyncClient, stop: asyncio.Event) -> None:
        """Sends events until `stop` is set, and waits for their answers; no call waits for another."""
        numbers = itertools.count()
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(self._track(client, next(numbers)))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)

    def longest_gap(self) -> float:
        """Returns the longest time between two acknowledgements, in seconds."""
        return max(later - earlier for earlier, later in itertools.pairwise(self.acknowledged))

    async def _track(self, client: AsyncClient, number: int) -> None:
        try:
            await client.track(f"rolled-{number % 20}", "page_view", event_id=f"rolled-{number}")
        except LeadscoreError as error:
            self.failures.append(error)
        else:
            self.acknowledged.append(time.monotonic())


async def test_two_versions_run_beside_each_other(system: System) -> None:
    sending = asyncio.create_task(send(system, make_events(2_000, leads=40, seed=1, prefix="first-")))
    await asyncio.to_thread(system.run, "scoring", "migrate", module=NEXT)
    await sending

    await asyncio.to_thread(system.start, "scoring-worker-2", module=NEXT)
    await asyncio.to_thread(system.wait_until_serving, "scoring-worker-2")
    await send(system, make_events(2_000, leads=40, seed=2, prefix="second-"))
    sent = itertools.count()

    async def next_version_has_written() -> bool:
        # Each worker takes the rings that it gets hold of, so a slow one may have got none yet.
        await send(system, make_events(40, leads=40, seed=100 + next(sent), prefix="second-"))
        return all(_counts(system).values())

    await eventually(next_version_has_written, what="the next version writes rows of both kinds")
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
    assert all(_counts(system).values()), "expected the former version to have kept what the next one wrote"


def _counts(system: System) -> dict[str, int]:
    """Returns how many rows the next version has written, by collection."""
    with pymongo.MongoClient[dict[str, Any]](system.mongo.uri) as client:
        database = client.get_default_database("leadscore")
        return {name: database[name].count_documents({FIELD: "eu"}) for name in ("score_history", "score_changes")}


async def test_no_call_fails_while_processes_are_replaced_one_after_the_other(system: System) -> None:
    """The gap is a figure for docs/upgrades.md; a busy machine may have a longer one."""
    replaced = ("scoring-worker", "scoring-worker-2", "ingest", "ingest.2")
    for name in ("scoring-worker-2", "ingest.2"):
        await asyncio.to_thread(system.start, name)
    await asyncio.to_thread(system.wait_until_serving, *replaced)
    both = f"ipv4:{system.target('ingest')},{system.target('ingest.2')}"
    calls, stop = Calls(), asyncio.Event()
    async with AsyncClient(Targets(both, *map(system.target, SERVERS[1:]))) as client:
        sending = asyncio.create_task(calls.send(client, stop))
        for name in replaced:
            assert await asyncio.to_thread(system.stop, name) == 0, f"expected {name} to stop within its grace period"
            await asyncio.to_thread(system.start, name)
            await asyncio.to_thread(system.wait_until_serving, name)
        stop.set()
        await sending
    assert calls.failures == []
    print(f"{len(calls.acknowledged)} calls acknowledged, longest gap {calls.longest_gap():.2f} s")  # noqa: T201
    await all_scored(system)
    assert await violations(system) == []
    with pymongo.MongoClient[dict[str, Any]](system.mongo.uri) as mongo:
        rows = mongo.get_default_database("leadscore")["events"]
        scored = rows.count_documents({"_id": {"$regex": "^rolled-"}, "state": "scored"})
    assert scored == len(calls.acknowledged)
    for name in ("scoring-worker-2", "ingest.2"):
        await asyncio.to_thread(system.stop, name)


async def test_a_version_that_is_left_behind_refuses_to_start(system: System) -> None:
    """It runs after the other tests, on the same database."""
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
