"""An erasure whose process is killed before any of its commands to MongoDB is completed later, and nothing is left."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.asynchronous.pool import AsyncConnection

from admin_service.store import leads
from shared.mongo import Database
from tests.admin.erasing import LEAD, World, new_privacy, new_world
from tests.scoring.conftest import days_ago

AGE = timedelta(hours=1)
Backup = dict[str, list[dict[str, Any]]]


class Killed(BaseException):
    """The process is dead: it sends nothing any more, not even that it gives up a transaction."""


_commands_left: ContextVar[list[int] | None] = ContextVar("commands_left", default=None)


@contextmanager
def killed_before(command: int) -> Iterator[None]:
    """Kills what runs in the block before it sends that command, counted from 1."""
    token = _commands_left.set([command])
    try:
        yield
    finally:
        _commands_left.reset(token)


@pytest.fixture(autouse=True)
def _mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    send = AsyncConnection.send_message

    async def send_unless_killed(connection: AsyncConnection, *message: Any) -> None:
        if left := _commands_left.get():
            left[0] -= 1
            if left[0] <= 0:
                raise Killed
        await send(connection, *message)

    monkeypatch.setattr(AsyncConnection, "send_message", send_unless_killed)


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which the person has a history that moves in several pieces."""
    monkeypatch.setattr(leads, "PIECE_ENTRIES", 9)
    world = await new_world(database)
    await world.scoring.put((f"{LEAD}:first", LEAD, "page_view", days_ago(9.5)), page="/ockham-park")
    await world.scoring.drain_all()
    await world.live()
    return world


async def test_a_killed_erasure_is_completed_by_the_same_request_or_in_the_background(world: World) -> None:
    backup = with_an_old_entry(await world.everything())
    totals = await totals_of(world)
    for command in itertools.count(1):
        await world.restore(backup)
        if not await is_killed(world, command):
            break
        await world.database.client.admin.command("killAllSessions", [])  # what mongod does after some seconds
        where = f"after a kill before command {command}"
        erasing = (await new_privacy(world.database, world.scoring, world.clock)).erasing
        if command % 2 and await world.database["erasures"].find_one():
            world.clock.now += timedelta(minutes=3)
            await erasing.settle()
        else:
            await erasing.erase(LEAD, "r1", "Charles")
        assert await world.traces() == [], where
        assert await totals_of(world) == totals, where
        assert await world.scoring.verify() == [], where
    assert command > 40, "expected an erasure to send more commands"


async def is_killed(world: World, command: int) -> bool:
    """Erases the person; returns whether the process was killed before it was done."""
    erasing = (await new_privacy(world.database, world.scoring, world.clock)).erasing
    try:
        with killed_before(command):
            await erasing.erase(LEAD, "r1", "Charles")
    except Killed:
        return True
    return False


def with_an_old_entry(backup: Backup) -> Backup:
    """Lets the first entry of the person, and its change, be recorded an hour before all others."""
    entry = next(each for each in backup["score_history"] if (each["lead_id"], each["sequence"]) == (LEAD, 1))
    [row] = [
        row
        for row in backup["score_changes"]
        if (row["changes"][0]["lead_id"], row["changes"][0]["sequence"]) == (LEAD, 1)
    ]
    entry["record_time"] -= AGE
    row["_id"] = str(ObjectId.from_datetime(ObjectId(row["_id"]).generation_time - AGE))
    return backup


async def totals_of(world: World) -> list[dict[str, Any]]:
    """Returns the number of entries and the sum of the points of each kind."""
    group = {"_id": "$kind", "count": {"$sum": 1}, "delta": {"$sum": "$delta"}}
    stages: list[dict[str, Any]] = [{"$group": group}, {"$sort": {"_id": 1}}]
    return await (await world.database["score_history"].aggregate(stages)).to_list()
