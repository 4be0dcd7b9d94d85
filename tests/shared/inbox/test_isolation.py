"""A failing row is found in its batch and retried alone; all other rows are done."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
)
from structlog.testing import capture_logs

from shared.inbox import isolation as isolation_module
from shared.inbox import parking as parking_module
from shared.inbox.breaker import Breaker
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.inbox.failures import MAX_REASON, ReasonCode
from shared.inbox.isolation import IsolatedRetries
from shared.inbox.parking import MAX_ATTEMPTS, IsolatedRow, Parking
from shared.mongo import Database, TransactionTimeout, transact
from shared.rpc.errors import TooLarge
from shared.tasks import running
from testkit.waiting import eventually
from tests.shared.inbox.reader import ALL, BATCH, Reader, drained, put_letters, row, states, working

CALL_TIMED_OUT = AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, Metadata(), Metadata(), "planted")


@pytest.mark.usefixtures("fast_retries")
@pytest.mark.parametrize("bad", [("letter-000",), ("letter-041", "letter-042", "letter-099")])
async def test_failing_rows_are_parked_and_all_others_are_done(
    database: Database, inbox: Inbox, doorbell: Doorbell, bad: Sequence[str]
) -> None:
    ids = await put_letters(inbox, 100)
    reader = Reader(database, inbox, *bad)
    async with working(inbox, doorbell, reader) as drainer:
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 100 - len(bad), "parked": len(bad)}
    for row_id in bad:
        parked = await row(inbox, row_id)
        assert (parked["attempts"], parked["reason"]) == (MAX_ATTEMPTS, "ValueError: it is illegible")
        assert parked["reason_code"] == "FAILED"
        assert timedelta() <= datetime.now(UTC) - parked["park_time"] < timedelta(minutes=1)
        assert "retry_time" not in parked
    found = await Parking(inbox).page((), 10)
    assert sorted(each.row_id for each in found) == sorted(bad)
    assert await Parking(inbox).count() == len(bad)
    # Parked rows are not read again.
    tries = reader.tries.copy()
    async with working(inbox, doorbell, reader) as drainer:
        await inbox.rows.insert_one({"_id": "late", **inbox.pending_row("7", datetime.now(UTC))})
        await drained(inbox, drainer, 0)
    assert reader.tries - tries == {"late": 1}
    assert set(ids) >= set(bad)


@pytest.mark.usefixtures("no_retries", "long_leases")
async def test_other_rows_do_not_wait_for_the_retries_of_a_failing_row(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    ids = await put_letters(inbox, 40, key="ada")
    reader = Reader(database, inbox, ids[7])
    with capture_logs() as lines:
        async with working(inbox, doorbell, reader) as drainer:
            await drained(inbox, drainer, 1)
            waiting = await row(inbox, ids[7])
            await inbox.rows.insert_one({"_id": "late", **inbox.pending_row("ada", datetime.now(UTC))})
            await drained(inbox, drainer, 1)
    assert (waiting["state"], waiting["attempts"]) == ("pending", 1)
    assert waiting["retry_time"] > datetime.now(UTC)
    assert max(count for row_id, count in reader.tries.items() if row_id != ids[7]) <= 7, "the batch was halved"
    assert {"batch is cut", "row failed"} <= {line["event"] for line in lines}


@pytest.mark.usefixtures("fast_retries")
async def test_a_batch_too_large_for_one_transaction_is_split_until_it_fits(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    await put_letters(inbox, 50)
    reader = Reader(database, inbox)

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        if limit > 10:
            raise ExecutionTimeout("it took too long")
        return await reader.step(partitions, limit, ids)

    drainer = Drainer(inbox, doorbell, step, batch_rows=BATCH)
    async with running(drainer.run()):
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 50}


async def test_an_attempt_that_cannot_be_cancelled_is_cancelled_later(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row_id] = await put_letters(inbox, 1)
    reader = Reader(database, inbox, row_id)
    reader.error = AutoReconnect("the primary is away")
    drainer = IsolatedRetries(parking := Parking(inbox), Breaker(inbox), reader.step)
    cancel_attempt, errors = parking.cancel_attempt, [AutoReconnect("still away")]

    async def away(isolated_row: IsolatedRow) -> None:
        if errors:
            raise errors.pop()
        await cancel_attempt(isolated_row)

    monkeypatch.setattr(parking, "cancel_attempt", away)
    with pytest.raises(AutoReconnect, match="the primary is away"):
        await drainer.attempt(row_id, inbox.partition_of("0"))
    assert (await row(inbox, row_id))["attempts"] == 1

    async def is_cancelled() -> bool:
        return bool((await row(inbox, row_id))["attempts"] == 0)

    async with running(drainer.run(every=0.01)):
        await eventually(is_cancelled, what="the attempt is cancelled")


@pytest.mark.usefixtures("fast_retries")
async def test_a_reason_is_one_line_of_limited_length(database: Database, inbox: Inbox, doorbell: Doorbell) -> None:
    [row_id] = await put_letters(inbox, 1)
    reader = Reader(database, inbox, row_id)
    reader.error = RuntimeError("much\r\n" * 1000)
    async with working(inbox, doorbell, reader) as drainer:
        await drained(inbox, drainer, 0)
    reason = (await row(inbox, row_id))["reason"]
    assert reason.startswith("RuntimeError: much much")
    assert len(reason) <= MAX_REASON


@pytest.mark.usefixtures("no_retries")
@pytest.mark.parametrize("error", [AutoReconnect("planted"), TimeoutError(), CALL_TIMED_OUT], ids=repr)
async def test_transient_errors_park_nothing(
    database: Database, inbox: Inbox, doorbell: Doorbell, error: Exception, request: pytest.FixtureRequest
) -> None:
    ids = await put_letters(inbox, 10)
    reader = Reader(database, inbox, ids[4])
    async with working(inbox, doorbell, reader) as drainer:
        # One row has failed by itself before.
        await drained(inbox, drainer, 1)
        reader.error = error
        reader.unreadable |= {"another"}
        request.getfixturevalue("fast_retries")
        await inbox.rows.update_one({"_id": ids[4]}, {"$set": {"retry_time": datetime.now(UTC)}})
        await inbox.rows.insert_one({"_id": "another", **inbox.pending_row("0", datetime.now(UTC))})

        async def often() -> bool:
            await drainer.drain(ALL)
            return min(reader.tries[ids[4]], reader.tries["another"]) > 4 * MAX_ATTEMPTS

        await eventually(often, what="repeated failures of both")
        assert (await row(inbox, ids[4]))["state"] == (await row(inbox, "another"))["state"] == "pending"
        assert (await row(inbox, ids[4]))["attempts"] <= MAX_ATTEMPTS
        assert "attempts" not in await row(inbox, "another")
        reader.unreadable.clear()
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 11}


@pytest.mark.usefixtures("fast_retries")
async def test_a_timeout_counts_as_an_attempt_while_the_database_answers(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    slow = (await put_letters(inbox, 4))[1]
    reader = Reader(database, inbox)

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        async def body() -> None:
            await asyncio.sleep(0.1)
            await inbox.pending(partitions, limit)

        if ids is None or slow in ids:
            await transact(database, body, seconds=0.05)
        return await reader.step(partitions, limit, ids)

    drainer = Drainer(inbox, doorbell, step, batch_rows=BATCH)
    async with running(drainer.run(), drainer.isolated_retries.run(every=0.01)):
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 3, "parked": 1}
    [parked] = await Parking(inbox).page((), 10)
    assert (parked.row_id, parked.attempts, parked.reason_code) == (slow, MAX_ATTEMPTS, ReasonCode.TOO_LARGE)
    assert "raise LEADSCORE_TRANSACTION_SECONDS and retry it" in parked.reason


async def test_a_timeout_does_not_count_while_the_database_is_unreachable(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row_id] = await put_letters(inbox, 1)
    reader = Reader(database, inbox, row_id)
    reader.error = TransactionTimeout("no answer", 50)
    isolated_retries = IsolatedRetries(parking := Parking(inbox), Breaker(inbox), reader.step)
    monkeypatch.setattr(parking_module, "ANSWER_SECONDS", 0.0)
    with pytest.raises(TransactionTimeout):
        await isolated_retries.attempt(row_id, inbox.partition_of("0"))
    assert (await row(inbox, row_id))["attempts"] == 0
    assert await parking.count() == 0


async def test_a_row_that_is_too_large_is_parked_immediately(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    ids = await put_letters(inbox, 10)
    reader = Reader(database, inbox, ids[3])
    reader.error = TooLarge("the lead has 1,000,000 events: discard the event")
    async with working(inbox, doorbell, reader) as drainer:
        await drained(inbox, drainer, 0)
    [parked] = await Parking(inbox).page((), 10)
    assert (parked.row_id, parked.attempts, parked.reason_code) == (ids[3], 1, ReasonCode.TOO_LARGE)
    assert parked.reason == "the lead has 1,000,000 events: discard the event"


@pytest.mark.usefixtures("fast_retries")
async def test_an_idle_worker_looks_for_isolated_rows_less_often_until_it_isolates_one(
    database: Database, inbox: Inbox, doorbell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation_module, "IDLE_FACTOR", 1_000_000)
    monkeypatch.setattr(isolation_module, "ALERT_SECONDS", 0.0)
    [row_id] = await put_letters(inbox, 1)
    reader = Reader(database, inbox, row_id)
    drainer = Drainer(inbox, doorbell, reader.step, batch_rows=BATCH)
    monkeypatch.setattr(isolation_module, "ALERT_SECONDS", 60.0)
    async with running(drainer.run(), drainer.isolated_retries.run(every=0.01)):
        await asyncio.sleep(0)  # it has looked, and pauses for hours
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"parked": 1}
    assert reader.tries[row_id] > MAX_ATTEMPTS
