"""The change stream of MongoDB: reading, resuming, bad tokens and database errors."""

import asyncio
import contextlib
from typing import Any

import pytest
from pymongo.errors import ExecutionTimeout, OperationFailure

from intelligence_service import watchers as module
from intelligence_service.domain.watch import (
    LeadChange,
    ResumeTokenExpired,
)
from intelligence_service.store import MongoLeadChanges
from intelligence_service.watchers import Watchers
from shared.contracts.score_changes import CONTRACT, ScoreChangeRow
from shared.mongo import Database
from shared.rpc.errors import InvalidArgument, Stopping
from tests.intelligence.watching import ALL, begin, change, intelligence, seen, take

CHANGES = CONTRACT.collection


def document(change: LeadChange) -> dict[str, Any]:
    row = ScoreChangeRow(
        change_id=f"{change.lead_id}:{change.sequence}",
        lead_id=change.lead_id,
        sequence=change.sequence,
        score_before=change.score_before,
        score_after=change.score_after,
        stage_before=change.stage_before,
        stage_after=change.stage_after,
        scores=(change.score_before, change.score_after),
        stages=(change.stage_before, change.stage_after),
        event_types=change.event_types,
        kinds=("EVENT",),
        date_bucket="2026-03-20",
        last_event_time=change.record_time,
        inactive_days=0,
        record_time=change.record_time,
        passages=(),
    )
    return row.to_document() | {"state": "pending"}


async def put(database: Database, *some: LeadChange) -> None:
    for each in some:
        await database[CHANGES].insert_one(document(each))


async def test_a_change_that_is_newer_than_this_program_ends_the_watch(database: Database) -> None:
    await database.create_collection(CHANGES)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await database[CHANGES].insert_one(document(change("ada")) | {"schema_version": 2})
        with pytest.raises(Stopping):
            await take(watch, 1)


async def test_the_stream_of_the_database_is_watched_and_resumed(database: Database) -> None:
    await database.create_collection(CHANGES)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await put(database, change("ada", 1), change("bob", 1))
        await database[CHANGES].update_many({}, {"$set": {"state": "done"}})
        await put(database, change("ada", 2))
        updates = await take(watch, 3)
        assert [each.change for each in updates] == [change("ada", 1), change("bob", 1), change("ada", 2)]
        again = await begin(watchers, ALL, updates[0].token)
        assert seen(await take(again, 2)) == [("bob", 1), ("ada", 2)]


async def test_the_stream_of_the_database_is_resumed_piece_by_piece(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 3)
    await database.create_collection(CHANGES)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await put(database, *(change("ada", number) for number in range(1, 11)))
        token = (await take(watch, 10))[0].token
        again = await begin(watchers, ALL, token)
        assert seen(await take(again, 9)) == [("ada", number) for number in range(2, 11)]
        following = asyncio.create_task(take(again, 1))
        await put(database, change("ada", 11))
        assert seen(await following) == [("ada", 11)]


@pytest.mark.parametrize("token", ["nonsense", "82", "82ABCDEF0123", "FF" * 10, "82" + "0" * 60, "82" + "A" * 4000])
async def test_an_invalid_token_is_refused(database: Database, token: str) -> None:
    await database.create_collection(CHANGES)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = watchers.watch(ALL, token)
        with pytest.raises((InvalidArgument, ResumeTokenExpired)):
            await take(watch, 2)


class FailingCollection:
    """A collection whose stream cannot be opened."""

    def __init__(self, error: OperationFailure) -> None:
        self._error = error

    async def watch(self, *_: object, **__: object) -> None:
        """Fails."""
        raise self._error


@pytest.mark.parametrize("token", ["", "82" + "A" * 60])
@pytest.mark.parametrize(
    "error",
    [
        *(OperationFailure("x", code) for code in (134, 262, 175, 237, 13, 18)),
        OperationFailure("x", 11600, {"errorLabels": ["RetryableWriteError"]}),
        ExecutionTimeout("x", 50),
    ],
    ids=lambda error: str(error.code),
)
async def test_an_error_of_the_database_is_not_reported_as_a_bad_token(error: OperationFailure, token: str) -> None:
    changes = MongoLeadChanges({CHANGES: FailingCollection(error)})  # type: ignore[arg-type]  # the store uses no more of it
    with pytest.raises(OperationFailure) as caught:
        await anext(changes.after(token))
    assert caught.value is error
