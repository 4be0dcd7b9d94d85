"""Many rows with the same error stop the drain, park nothing, and are probed one by one until one succeeds."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from shared.inbox import breaker as breaker_module
from shared.inbox import isolation as isolation_module
from shared.inbox.breaker import MAX_ALIKE, Breaker, stopped_drain
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.inbox.failures import Failure, ReasonCode
from shared.inbox.parking import Parking
from shared.mongo import Database
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.inbox.reader import Reader, drained, put_letters, row, states, working
from tests.shared.waiting import until


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation_module, "PROBE_SECONDS", 0.01)


async def attempts(inbox: Inbox) -> dict[str, int]:
    return {each["_id"]: each["attempts"] async for each in inbox.rows.find({"attempts": {"$exists": True}})}


async def probed(drainer: Drainer, reader: Reader) -> None:
    """Waits for some probes; rings for all partitions meanwhile."""
    tries = reader.tries.total()

    async def has_tried() -> bool:
        await drainer.drain(range(PARTITIONS))
        return reader.tries.total() > tries + 10

    await eventually(has_tried, what="probes")


def failed(reason: str) -> Failure:
    return Failure(ReasonCode.FAILED, reason)


async def test_rows_with_the_same_error_stop_the_drain_until_one_succeeds(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    ids = await put_letters(inbox, MAX_ALIKE + 30)
    reader = Reader(database, inbox, *ids)

    async def is_stopped() -> bool:
        return await stopped_drain(inbox) is not None

    with capture_logs() as lines:
        async with working(inbox, doorbell, reader) as drainer:
            await drainer.drain(range(PARTITIONS))
            await eventually(is_stopped, what="the drain reports that it has stopped")
            await probed(drainer, reader)  # what was being tried when the drain stopped has ended by then
            counted = await attempts(inbox)
            await probed(drainer, reader)
            assert max(reader.sizes[-5:]) == 1, "one row at a time"
            assert await states(inbox) == {"pending": len(ids)}
            assert await attempts(inbox) == counted
            stopped = await stopped_drain(inbox)
            assert stopped is not None
            assert (stopped.error, stopped.failed_rows) == ("ValueError: it is illegible", MAX_ALIKE)
            reader.unreadable.clear()
            await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": len(ids)}
    assert await stopped_drain(inbox) is None
    loud = [line for line in lines if line["log_level"] == "error"]
    assert [line["event"] for line in loud] == ["drain stopped"]
    assert loud[0]["reason"] == f"the last {MAX_ALIKE} rows failed with ValueError: it is illegible"
    assert "drain resumed" in [line["event"] for line in lines]


async def test_a_new_row_that_succeeds_restarts_the_drain(database: Database, inbox: Inbox, doorbell: Doorbell) -> None:
    ids = await put_letters(inbox, MAX_ALIKE)
    reader = Reader(database, inbox, *ids)
    async with working(inbox, doorbell, reader) as drainer:
        await drainer.drain(range(PARTITIONS))
        await until(lambda: drainer.isolated_retries.breaker.is_open, what="the circuit is open")
        await inbox.rows.insert_one({"_id": "good", **inbox.pending_row("0", datetime.now(UTC))})

        async def is_read() -> bool:
            return bool((await row(inbox, "good"))["state"] == "read")

        await eventually(is_read, what="the good row is done")


async def test_the_circuit_opens_only_for_different_rows_with_one_error_and_no_success(inbox: Inbox) -> None:
    breaker = Breaker(inbox)
    for number in range(10 * MAX_ALIKE):
        breaker.failed("same", 1, failed("KeyError: 'x'"))
        breaker.failed(f"row-{number % (MAX_ALIKE - 1)}", 1, failed("ValueError: of few rows"))
        breaker.failed(f"row-{number}", 1, failed(f"{'X' * (number % 70 + 1)}Error: other"))
    assert not breaker.is_open
    breaker.succeeded()
    for number in range(MAX_ALIKE - 1):
        breaker.failed(f"row-{number}", 1, failed(f"KeyError: 'lead-{number}' of event {number}"))
    breaker.succeeded()
    breaker.failed("last", 1, failed("KeyError: 'lead' of event 1"))
    assert not breaker.is_open, "expected a success to reset the count"
    with capture_logs():
        for number in range(MAX_ALIKE):
            breaker.failed(f"row-{number}", 1, failed(f"KeyError: 'lead-{number}' of event {number}"))
    assert breaker.is_open, "expected quoted text and digits to be ignored when errors are compared"


async def test_the_report_of_a_worker_that_is_gone_expires(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = Breaker(inbox)
    with capture_logs():
        for number in range(MAX_ALIKE):
            breaker.failed(f"row-{number}", 1, failed("ValueError: all"))
    await breaker.report()
    assert await stopped_drain(inbox) is not None
    monkeypatch.setattr(breaker_module, "_FRESH", timedelta(0))
    assert await stopped_drain(inbox) is None


async def test_the_circuit_closes_when_there_is_no_row_to_probe(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    ids = await put_letters(inbox, MAX_ALIKE)
    async with working(inbox, doorbell, Reader(database, inbox, *ids)) as drainer:
        await drainer.drain(range(PARTITIONS))
        await until(lambda: drainer.isolated_retries.breaker.is_open, what="the circuit is open")
        await inbox.rows.delete_many({})

        async def is_closed() -> bool:
            return not drainer.isolated_retries.breaker.is_open

        await eventually(is_closed, what="the circuit is closed")
    assert await Parking(inbox).count() == 0
