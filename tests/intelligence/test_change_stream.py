"""The change stream of MongoDB: reading, resuming, bad tokens and database errors."""

import asyncio
import contextlib
from typing import Any

import bson
import pytest
from pymongo.errors import ExecutionTimeout, OperationFailure

from intelligence_service import watchers as module
from intelligence_service.domain.watch import (
    LeadChange,
    ResumeTokenExpired,
)
from intelligence_service.store import MongoLeadChanges
from intelligence_service.watchers import Watchers
from shared.contracts.score_changes import CONTRACT, ScoreChange, common_fields
from shared.inbox.bundles import pending_bundles
from shared.inbox.collection import Inbox
from shared.mongo import Database
from shared.rpc.errors import InvalidArgument, Stopping
from tests.intelligence.watching import ALL, begin, change, intelligence, seen, take

CHANGES = CONTRACT.collection


def document(*changes: LeadChange) -> dict[str, Any]:
    """Returns a row with these changes, as the scoring service writes it."""
    items = [_as_scored(each).to_document() for each in changes]
    [row] = pending_bundles(CONTRACT, 0, items, changes[0].record_time)
    return common_fields("2026-03-20", changes[0].record_time) | row


def _as_scored(change: LeadChange) -> ScoreChange:
    return ScoreChange(
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
        last_event_time=change.record_time,
        inactive_days=0,
        date_bucket="2026-03-20",
        record_time=change.record_time,
        transitions=(),
    )


async def put(database: Database, *some: LeadChange) -> None:
    """Puts changes, each in a row of its own."""
    for each in some:
        await database[CHANGES].insert_one(document(each))


async def test_a_change_that_is_newer_than_this_program_ends_the_watch(database: Database) -> None:
    await database.create_collection(CHANGES)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await database[CHANGES].insert_one(document(change("ada")) | {"schema_version": 2})
        with pytest.raises(Stopping):
            await take(watch, 1)


@pytest.mark.parametrize("field", ["last_event_time", "record_time", "transitions"])
async def test_a_change_that_the_driver_cannot_decode_does_not_end_the_watch(database: Database, field: str) -> None:
    """A time after the year 9999; transitions are not even sent."""
    await database.create_collection(CHANGES)
    too_late = bson.DatetimeMS(300_000_000_000_000)
    row = document(change("ada"))
    item = bson.decode(row[CONTRACT.items][0].raw)
    assert field in item | row, "the contract has another name for it"
    damaged = {
        "last_event_time": row | {"changes": [item | {"last_event_time": too_late}]},
        "record_time": row | {"record_time": too_late},
        "transitions": row | {"changes": [item | {"transitions": [{"events": [{"event_time": too_late}]}]}]},
    }
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await database[CHANGES].insert_one(damaged[field])
        await put(database, change("bob"))
        assert seen(await take(watch, 2)) == [("ada", 1), ("bob", 1)]


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


async def test_a_watch_resumes_within_a_row_and_sees_each_change_once_although_the_row_is_divided(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 3)
    inbox = Inbox(database, CONTRACT, partitions=1)
    await inbox.migrate()
    numbers = range(1, 13)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        first, second = (document(*(change("ada", number) for number in half)) for half in (numbers[:6], numbers[6:]))
        for row in (first, second):
            await database[CHANGES].insert_one(row)
            assert len(await inbox.divide(row["_id"], 0)) == 6
        updates = await take(watch, 12)
        assert seen(updates) == [("ada", number) for number in numbers]
        tokens = [each.token for each in updates]
        assert tokens == sorted(set(tokens)), "tokens are different, and sort like the changes"
        for position in (0, 2, 5, 6, 9, 11):
            again = await begin(watchers, ALL, tokens[position])
            await put(database, change("bob", position))
            expected = [("ada", number) for number in numbers[position + 1 :]]
            found = await take(again, len(expected) + 1)
            assert [each for each in seen(found) if each[0] == "ada"] == expected, f"after change {position + 1}"
            await again.aclose()


async def test_a_watch_of_a_large_row_starts_with_the_row_that_was_divided_before(database: Database) -> None:
    """Rows that were divided while nobody watched are the same changes: a resumed watch sees them once."""
    inbox = Inbox(database, CONTRACT, partitions=1)
    await inbox.migrate()
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await put(database, change("ada", 1))
        token = (await take(watch, 1))[0].token
        await watch.aclose()
        row = document(change("ada", 2), change("bob", 2))
        await database[CHANGES].insert_one(row)
        assert len(await inbox.divide(row["_id"], 0)) == 2
        await put(database, change("ada", 3))
        again = await begin(watchers, ALL, token)
        assert seen(await take(again, 3)) == [("ada", 2), ("bob", 2), ("ada", 3)]


@pytest.mark.parametrize("damaged", [{"lead_id": "bob"}, "?", None])
async def test_a_change_that_cannot_be_read_hides_no_other(database: Database, damaged: object) -> None:
    await database.create_collection(CHANGES)
    row = document(change("ada", 1), change("bob", 1), change("cyd", 1))
    row["changes"][1] = damaged
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await database[CHANGES].insert_one(row)
        assert seen(await take(watch, 2)) == [("ada", 1), ("cyd", 1)]


@pytest.mark.parametrize("changes", [None, []])
async def test_a_row_without_changes_ends_no_watch(database: Database, changes: object) -> None:
    await database.create_collection(CHANGES)
    async with contextlib.aclosing(Watchers(MongoLeadChanges(database), intelligence())) as watchers:
        watch = await begin(watchers)
        await database[CHANGES].insert_one(document(change("ada")) | {"changes": changes})
        await put(database, change("bob"))
        assert seen(await take(watch, 1)) == [("bob", 1)]


@pytest.mark.parametrize(
    "token",
    [
        *("nonsense", "82", "82ABCDEF0123", "FF" * 10, "82" + "0" * 60, "82" + "A" * 4000),
        *(f"82{'0' * 60}:999", f"82{'A' * 60}:999", f"82{'0' * 60}:000", f"82{'A' * 60}:9990"),
    ],
)
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


@pytest.mark.parametrize("token", ["", f"82{'A' * 60}:999", f"82{'A' * 60}:000"])
@pytest.mark.parametrize(
    "error",
    [
        *(OperationFailure("x", code) for code in (134, 262, 175, 237, 13, 18)),
        OperationFailure("x", 11600, {"errorLabels": ["RetryableWriteError"]}),
        ExecutionTimeout("x", 50),
    ],
    ids=lambda error: str(error.code),
)
async def test_an_error_of_the_database_is_not_reported_as_a_bad_token(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: OperationFailure, token: str
) -> None:
    changes = MongoLeadChanges(database)
    monkeypatch.setattr(changes, "_changes", FailingCollection(error))
    with pytest.raises(OperationFailure) as caught:
        await anext(changes.after(token))
    assert caught.value is error
