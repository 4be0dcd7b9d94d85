"""Each service's own user of MongoDB may do what `database_rights` says, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from shared import database_users
from shared.database_rights import FIND, INSERT, REMOVE, RIGHTS, UPDATE, Right
from shared.database_users import create_user
from shared.mongo import Database
from shared.settings import StartupError

UNAUTHORIZED = 13
COLLECTIONS = sorted({right.collection for rights in RIGHTS.values() for right in rights})
NOTHING = {"_id": "nothing"}
COMMANDS: Mapping[str, Mapping[str, Any]] = {
    FIND: {"filter": NOTHING},
    INSERT: {"documents": [{}]},
    UPDATE: {"updates": [{"q": NOTHING, "u": {"$set": {"changed": True}}}]},
    REMOVE: {"deletes": [{"q": NOTHING, "limit": 1}]},
}
NAMES = {REMOVE: "delete"}
"""Names of commands that differ from those of their actions."""


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Database]:
    """Opens the database with the URI in a file."""
    uri = await asyncio.to_thread(path.read_text)
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        yield client.get_default_database()


async def is_refused(database: Database, command: Mapping[str, Any]) -> bool:
    try:
        await database.command(dict(command))
    except OperationFailure as error:
        if error.code == UNAUTHORIZED:
            return True
        raise
    return False


@pytest.mark.parametrize("service", RIGHTS)
async def test_a_service_may_do_what_the_table_says_and_nothing_else(
    service: str, database: Database, database_uri: str, tmp_path: Path
) -> None:
    for collection in COLLECTIONS:
        await database.create_collection(collection)
    rights = {right.collection: right.actions for right in RIGHTS[service]}
    async with opened(await create_user(database_uri, service, tmp_path)) as own:
        wrong = [
            (collection, action)
            for collection in (*COLLECTIONS, "unknown")
            for action, arguments in COMMANDS.items()
            if await is_refused(own, {NAMES.get(action, action): collection, **arguments})
            != (action not in rights.get(collection, ()))
        ]
        assert wrong == [], "expected what differs from the table to be nothing"
        for command in (
            {"drop": "leads"},
            {"dropDatabase": 1},
            {"createIndexes": "leads", "indexes": [{"key": {"a": 1}, "name": "a"}]},
            {"collMod": "score_history", "validator": {}},
            {"createUser": "eve", "pwd": "eve", "roles": ["dbOwner"]},
            {"updateUser": f"leadscore_{service}", "roles": ["dbOwner"]},
        ):
            assert await is_refused(own, command), f"expected {command} to be refused"
        assert await is_refused(own.client.admin, {"replSetStepDown": 1})


async def test_the_history_cannot_be_changed_by_scoring(database: Database, database_uri: str, tmp_path: Path) -> None:
    await database["score_history"].insert_one({"_id": "e", "delta": 5})
    async with opened(await create_user(database_uri, "scoring", tmp_path)) as own:
        history = own["score_history"]
        await history.insert_one({"_id": "f", "delta": 1})
        assert [row["delta"] async for row in history.find().sort("_id")] == [5, 1]
        for attempt in (
            history.update_one({"_id": "e"}, {"$set": {"delta": 50}}),
            history.replace_one({"_id": "e"}, {}),
            history.delete_one({"_id": "e"}),
            history.find_one_and_update({"_id": "e"}, {"$inc": {"delta": 1}}),
            own["leads"].aggregate([{"$merge": {"into": "score_history"}}]),
            own["leads"].aggregate([{"$out": "score_history"}]),
            history.rename("old"),
        ):
            with pytest.raises(OperationFailure, match="not authorized"):
                await attempt


async def test_a_second_run_keeps_the_password_and_gives_the_rights_of_today(
    database: Database, database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await create_user(database_uri, "ingest", tmp_path)
    before = path.read_text()
    monkeypatch.setattr(database_users, "RIGHTS", {"ingest": [Right("leads", (FIND,), "a new one")]})
    assert await create_user(database_uri, "ingest", tmp_path) == path
    assert path.read_text() == before
    async with opened(path) as own:
        assert await own["leads"].find_one() is None
        with pytest.raises(OperationFailure, match="not authorized"):
            await own["events"].find_one()


async def test_a_deleted_file_gets_a_new_password(database: Database, database_uri: str, tmp_path: Path) -> None:
    path = await create_user(database_uri, "ingest", tmp_path)
    before = path.read_text()
    path.unlink()
    await create_user(database_uri, "ingest", tmp_path)
    assert path.read_text() != before
    async with opened(path) as own:
        assert await own["events"].find_one() is None
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_whoever_may_not_create_users_is_told_so_in_one_line(
    database: Database, database_uri: str, tmp_path: Path
) -> None:
    own = (await create_user(database_uri, "ingest", tmp_path)).read_text()
    with pytest.raises(StartupError, match=rf"it needs the role userAdmin of the database {database.name}$"):
        await create_user(own, "scoring", tmp_path)


def rows_of_the_table() -> Iterator[str]:
    """Yields the rows that the documentation should have: rights that differ in one thing only share a row."""
    services: dict[Right, list[str]] = {}
    for service, rights in RIGHTS.items():
        for right in rights:
            services.setdefault(right, []).append(service)
    collections: dict[tuple[str, str, str], list[str]] = {}
    for right, names in services.items():
        same = (", ".join(names), ", ".join(right.actions), right.reason)
        collections.setdefault(same, []).append(f"`{right.collection}`")
    for (names_, actions, reason), found in collections.items():
        yield f"| {names_} | {', '.join(found)} | {actions} | {reason} |"


def test_the_documentation_has_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text().splitlines()
    expected = list(rows_of_the_table())
    found = [line for line in page if line in expected]
    assert found == expected, "\n".join(["expected this table in docs/security.md:", *expected])
