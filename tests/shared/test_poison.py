"""Rows that cannot be done: found in their batch, tried apart, parked with their reason; all others are done."""

import asyncio
import contextlib
import random
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc.aio import Metadata
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteError,
)
from structlog.testing import capture_logs

from shared.inbox import broker as brokers
from shared.inbox import parking as parking_module
from shared.inbox.breaker import Breaker
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.inbox.failures import DIED, MAX_REASON, Failure, ReasonCode, failure_of
from shared.inbox.isolation import IsolatedRetries
from shared.inbox.parking import CLAIM, DISCARDED, MAX_ATTEMPTS, IsolatedRow, Parking
from shared.mongo import Database, Document, TransactionTimeout, transact
from shared.rpc.errors import TooLarge, is_transient
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.letters import LETTERS

ALL = range(PARTITIONS)
BATCH = 64
SOON = timedelta(milliseconds=10)


class Reader:
    """A consumer that cannot read some letters."""

    def __init__(self, database: Database, inbox: Inbox, *unreadable: str) -> None:
        self.unreadable = set(unreadable)
        self.error: Exception = ValueError("it is\n  illegible")
        self.tries: Counter[str] = Counter()
        self.sizes: list[int] = []
        self._database = database
        self._inbox = inbox

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Reads letters in one transaction."""
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await self._inbox.pending(partitions, limit, ids=ids)
            await self._inbox.mark(rows)
            if self.unreadable & {row["_id"] for row in rows}:
                raise self.error

        try:
            await transact(self._database, body, seconds=10)
        finally:
            self.sizes.append(len(rows))
            self.tries.update(row["_id"] for row in rows)
        return len(rows)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    made = Inbox(database, LETTERS, partitions=PARTITIONS)
    await made.migrate()
    return made


@pytest.fixture
def bell(redis_url: str) -> Iterator[Doorbell]:
    broker = brokers.connect(redis_url)
    yield Doorbell(broker, f"letters_{uuid.uuid4().hex}")
    broker.client.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another soon."""
    monkeypatch.setattr(parking_module, "PAUSE", SOON)
    monkeypatch.setattr(parking_module, "CLAIM", SOON)


async def put(inbox: Inbox, count: int, *, key: str = "") -> list[str]:
    """Puts letters, all of one key if one is given."""
    start = datetime.now(UTC) - timedelta(minutes=1)
    rows = [
        {
            "_id": f"letter-{number:03}",
            "lead_id": key or str(number),
            **inbox.pending_row(key or str(number), start + timedelta(milliseconds=number)),
        }
        for number in range(count)
    ]
    await inbox.rows.insert_many(rows)
    return [row["_id"] for row in rows]


async def row(inbox: Inbox, row_id: str) -> Document:
    found = await inbox.rows.find_one({"_id": row_id})
    assert found is not None
    return found


async def states(inbox: Inbox) -> Counter[str]:
    return Counter([each["state"] async for each in inbox.rows.find({})])


@contextlib.asynccontextmanager
async def working(inbox: Inbox, bell: Doorbell, reader: Reader) -> AsyncIterator[Drainer]:
    """Runs all that a worker runs, but for dramatiq."""
    drainer = Drainer(inbox, bell, reader.step, batch_rows=BATCH)
    async with running(drainer.run(), drainer.run(), drainer.isolated_retries.run(every=0.01)):
        yield drainer


async def drained(inbox: Inbox, drainer: Drainer, pending: int) -> None:
    async def left() -> bool:
        await drainer.drain(ALL)
        return await inbox.count_pending() == pending

    await eventually(left, what=f"{pending} rows wait")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("bad", [("letter-000",), ("letter-041", "letter-042", "letter-099")])
async def test_those_that_fail_are_parked_and_all_others_done(
    database: Database, inbox: Inbox, bell: Doorbell, bad: Sequence[str]
) -> None:
    ids = await put(inbox, 100)
    reader = Reader(database, inbox, *bad)
    async with working(inbox, bell, reader) as drainer:
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
    # Parked rows cost nothing more.
    tries = reader.tries.copy()
    async with working(inbox, bell, reader) as drainer:
        await inbox.rows.insert_one({"_id": "late", **inbox.pending_row("7", datetime.now(UTC))})
        await drained(inbox, drainer, 0)
    assert reader.tries - tries == {"late": 1}
    assert set(ids) >= set(bad)


async def test_the_others_do_not_wait_for_the_attempts(
    database: Database, inbox: Inbox, bell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking_module, "PAUSE", timedelta(seconds=20))  # nobody tries it again meanwhile
    ids = await put(inbox, 40, key="ada")
    reader = Reader(database, inbox, ids[7])
    with capture_logs() as lines:
        async with working(inbox, bell, reader) as drainer:
            await drained(inbox, drainer, 1)
            waiting = await row(inbox, ids[7])
            await inbox.rows.insert_one({"_id": "late", **inbox.pending_row("ada", datetime.now(UTC))})
            await drained(inbox, drainer, 1)
    assert (waiting["state"], waiting["attempts"]) == ("pending", 1)
    assert waiting["retry_time"] > datetime.now(UTC)
    assert max(count for row_id, count in reader.tries.items() if row_id != ids[7]) <= 7, "cut in halves"
    assert {"batch is cut", "row failed"} <= {line["event"] for line in lines}


@pytest.mark.usefixtures("short")
async def test_a_retry_begins_anew_and_is_idempotent(database: Database, inbox: Inbox, bell: Doorbell) -> None:
    ids = await put(inbox, 6)
    reader = Reader(database, inbox, ids[1], ids[3])
    parking = Parking(inbox)
    async with working(inbox, bell, reader) as drainer:
        await drained(inbox, drainer, 0)
        first, second = await parking.page((), 2)
        assert await parking.page((first.park_time, first.row_id), 2) == [second]
        assert await parking.retry(["unknown", ids[0], ids[1]]) == 1
        await drained(inbox, drainer, 0)
        assert await parking.count() == 2, "it fails as before"
        reader.unreadable.clear()
        assert await parking.retry(None) == 2
        assert await parking.retry(None) == 0
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 6}
    assert reader.tries[ids[1]] > 2 * MAX_ATTEMPTS


async def test_a_row_that_is_to_be_tried_again_is_as_it_was_put(inbox: Inbox) -> None:
    [row_id] = await put(inbox, 1)
    new = await row(inbox, row_id)
    parking = Parking(inbox)
    isolated_row = await parking.begin(row_id)
    assert isolated_row is not None
    await parking.park(isolated_row, Failure(ReasonCode.FAILED, "illegible"))
    assert (await row(inbox, row_id))["state"] == "parked"
    assert await parking.retry([row_id]) == 1
    assert await row(inbox, row_id) == new


@pytest.mark.usefixtures("short")
async def test_what_is_too_much_for_one_transaction_is_cut_until_it_fits(
    database: Database, inbox: Inbox, bell: Doorbell
) -> None:
    await put(inbox, 50)
    reader = Reader(database, inbox)

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        if limit > 10:
            raise ExecutionTimeout("it took too long")
        return await reader.step(partitions, limit, ids)

    drainer = Drainer(inbox, bell, step, batch_rows=BATCH)
    async with running(drainer.run()):
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 50}


async def test_an_attempt_that_cannot_be_taken_back_is_taken_back_later(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row_id] = await put(inbox, 1)
    reader = Reader(database, inbox, row_id)
    reader.error = AutoReconnect("the primary is away")
    drainer = IsolatedRetries(parking := Parking(inbox), Breaker(inbox), reader.step)
    cancel_attempt, faults = parking.cancel_attempt, [AutoReconnect("still away")]

    async def away(isolated_row: IsolatedRow) -> None:
        if faults:
            raise faults.pop()
        await cancel_attempt(isolated_row)

    monkeypatch.setattr(parking, "cancel_attempt", away)
    with pytest.raises(AutoReconnect, match="the primary is away"):
        await drainer.attempt(row_id)
    assert (await row(inbox, row_id))["attempts"] == 1

    async def is_forgiven() -> bool:
        return bool((await row(inbox, row_id))["attempts"] == 0)

    async with running(drainer.run(every=0.01)):
        await eventually(is_forgiven, what="the attempt is taken back")


async def test_what_was_to_wait_when_the_clock_was_set_back_is_tried_again(inbox: Inbox) -> None:
    back, ahead, new = await put(inbox, 3)
    parking, now = Parking(inbox), datetime.now(UTC)
    for row_id, span in ((back, timedelta(hours=1)), (ahead, CLAIM + timedelta(seconds=5))):  # clocks differ a little
        await inbox.rows.update_one({"_id": row_id}, {"$set": {"attempts": 1, "retry_time": now + span}})
    assert [each.row_id for each in await parking.due()] == [back]
    begun = [await parking.begin(row_id) for row_id in (back, ahead, new)]
    assert [each and each.attempts for each in begun] == [2, None, 1]
    assert await parking.due() == [], "both are being tried"
    assert await parking.begin(back) is None


@pytest.mark.usefixtures("short")
async def test_a_reason_is_one_line_of_bounded_length(database: Database, inbox: Inbox, bell: Doorbell) -> None:
    [row_id] = await put(inbox, 1)
    reader = Reader(database, inbox, row_id)
    reader.error = RuntimeError("much\r\n" * 1000)
    async with working(inbox, bell, reader) as drainer:
        await drained(inbox, drainer, 0)
    reason = (await row(inbox, row_id))["reason"]
    assert reason.startswith("RuntimeError: much much")
    assert len(reason) <= MAX_REASON


class _RpcError(grpc.aio.AioRpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code, Metadata(), Metadata(), "planted")


def labelled(label: str) -> PyMongoError:
    error = OperationFailure("planted", 112)
    error._add_error_label(label)
    return error


OF_THE_ENVIRONMENT = [
    AutoReconnect("planted"),
    PyMongoError("planted"),
    TimeoutError(),
    ConnectionResetError(),
    labelled("TransientTransactionError"),
    labelled("RetryableWriteError"),
    OperationFailure("not authorized", 13),
    OperationFailure("disk full", 14031),
    BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}),
    _RpcError(grpc.StatusCode.UNAVAILABLE),
    _RpcError(grpc.StatusCode.DEADLINE_EXCEEDED),
    _RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED),
    _RpcError(grpc.StatusCode.UNIMPLEMENTED),
]
OF_THE_WORK = [
    ValueError(),
    KeyError("field"),
    ZeroDivisionError(),
    RecursionError(),
    WriteError("planted", 2),
    DuplicateKeyError("planted", 11000),
    OperationFailure("too large", 10334),
    BulkWriteError({"writeErrors": [{"code": 2}], "writeConcernErrors": []}),
    _RpcError(grpc.StatusCode.INTERNAL),
    _RpcError(grpc.StatusCode.INVALID_ARGUMENT),
]


@pytest.mark.parametrize("error", OF_THE_ENVIRONMENT, ids=repr)
def test_what_is_of_the_environment(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", OF_THE_WORK, ids=repr)
def test_what_is_of_the_work(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("error", [AutoReconnect("planted"), TimeoutError(), OF_THE_ENVIRONMENT[-3]], ids=repr)
async def test_what_is_of_the_environment_parks_nothing(
    database: Database, inbox: Inbox, bell: Doorbell, error: Exception
) -> None:
    ids = await put(inbox, 10)
    reader = Reader(database, inbox, ids[4])
    async with working(inbox, bell, reader) as drainer:
        # One row has been at fault before.
        await drained(inbox, drainer, 1)
        reader.error = error
        reader.unreadable |= {"another"}
        await inbox.rows.insert_one({"_id": "another", **inbox.pending_row("0", datetime.now(UTC))})

        async def often() -> bool:
            await drainer.drain(ALL)
            return min(reader.tries[ids[4]], reader.tries["another"]) > 4 * MAX_ATTEMPTS

        await eventually(often, what="both fail again and again")
        assert (await row(inbox, ids[4]))["state"] == (await row(inbox, "another"))["state"] == "pending"
        assert (await row(inbox, ids[4]))["attempts"] <= MAX_ATTEMPTS
        assert "attempts" not in await row(inbox, "another")
        reader.unreadable.clear()
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 11}


class Workers:
    """Starts workers that may die, one after the other."""

    def __init__(self, database_uri: str, redis_url: str) -> None:
        self._arguments = (database_uri, redis_url, f"letters_{uuid.uuid4().hex}")

    @contextlib.contextmanager
    def started(self, bad: str = "-", seconds: float = 0) -> "Iterator[subprocess.Popen[str]]":
        """Runs one that has begun."""
        command = [sys.executable, "-m", "tests.shared.dying", *self._arguments, bad, str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "begins\n"
                yield process
            finally:
                process.kill()

    def die(self, bad: str) -> bool:
        """Runs one until it ends; tells whether it died of the letter."""
        with self.started(bad) as process:
            return process.wait(60) == 9


@pytest.fixture
def workers(database_uri: str, redis_url: str) -> Workers:
    return Workers(database_uri, redis_url)


async def test_a_row_that_kills_its_workers_is_parked_and_all_others_are_done(inbox: Inbox, workers: Workers) -> None:
    bad = (await put(inbox, 150))[70]
    crashes = 0
    while await asyncio.to_thread(workers.die, bad):
        crashes += 1
        assert crashes <= 2 + MAX_ATTEMPTS, "two to find it in its batch, and those that count"
    parked = await row(inbox, bad)
    assert (parked["state"], parked["attempts"], parked["reason"]) == ("parked", MAX_ATTEMPTS, DIED.reason)
    assert parked["reason_code"] == "WORKER_DIED"
    assert await states(inbox) == {"read": 149, "parked": 1}
    assert await Parking(inbox).retry([bad]) == 1
    assert not await asyncio.to_thread(workers.die, "-")
    assert await states(inbox) == {"read": 150}


async def test_rows_are_innocent_of_random_kills(inbox: Inbox, workers: Workers) -> None:
    await put(inbox, 60)
    chance = random.Random(7)
    for _ in range(10):
        with workers.started(seconds=0.02) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, chance.uniform(0.05, 0.7))
            process.kill()
    assert not await asyncio.to_thread(workers.die, "-")
    assert await states(inbox) == {"read": 60}


async def test_a_partition_in_which_workers_died_is_leased_alone(bell: Doorbell) -> None:
    given_back, bell._give_back = bell._give_back, lambda _: None  # type: ignore[method-assign,assignment]
    for crashes in range(3):
        async with bell.lease([3]) as lease:
            assert (lease.partitions, lease.crashes) == ([3], crashes)
        assert (await _leased(bell, 2, 3))[1:] == ([2], []), "while the dead one has its lease nobody takes it"
        bell._broker.client.delete(*(f"leadscore:{bell._inbox}:lease:{partition}" for partition in (2, 3)))
        bell._broker.client.delete(f"leadscore:{bell._inbox}:crashes:2")
    bell._give_back = given_back  # type: ignore[method-assign]
    assert await _leased(bell, 2, 3, 4) == (0, [2, 4], [3])
    assert await _leased(bell, 3) == (3, [3], [])
    assert await _leased(bell, 3, 4) == (0, [3, 4], []), "one clean end, and all is forgotten"


async def _leased(bell: Doorbell, *partitions: int) -> tuple[int, Sequence[int], Sequence[int]]:
    async with bell.lease(partitions) as lease:
        return lease.crashes, lease.partitions, lease.isolated


@pytest.mark.usefixtures("short")
async def test_the_time_of_acceptance_never_changes(database: Database, inbox: Inbox, bell: Doorbell) -> None:
    ids = await put(inbox, 6)
    before = {each["_id"]: each["accept_time"] async for each in inbox.rows.find({})}
    reader = Reader(database, inbox, ids[2])
    async with working(inbox, bell, reader) as drainer:
        await drained(inbox, drainer, 0)
    assert await Parking(inbox).retry(None) == 1
    assert {each["_id"]: each["accept_time"] async for each in inbox.rows.find({})} == before
    assert await inbox.waiting() == {inbox.partition_of("2"): before[ids[2]]}


async def test_the_sweeper_leaves_out_rows_that_failed_alone_and_the_backlog_does_not(inbox: Inbox) -> None:
    first, second, third = await put(inbox, 3, key="ada")
    partition = inbox.partition_of("ada")
    accept_times = [(await row(inbox, each))["accept_time"] for each in (first, second, third)]
    parking = Parking(inbox)
    await parking.begin(first)
    assert await inbox.waiting() == {partition: accept_times[0]}
    assert await inbox.waiting_for_drain() == {partition: accept_times[1]}
    await parking.begin(second)
    await parking.begin(third)
    assert await inbox.waiting() == {partition: accept_times[0]}
    assert await inbox.waiting_for_drain() == {}


@pytest.mark.usefixtures("short")
async def test_work_that_does_not_end_in_time_counts_while_the_database_answers(
    database: Database, inbox: Inbox, bell: Doorbell
) -> None:
    slow = (await put(inbox, 4))[1]
    reader = Reader(database, inbox)

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        async def body() -> None:
            await asyncio.sleep(0.1)
            await inbox.pending(partitions, limit)

        if ids is None or slow in ids:
            await transact(database, body, seconds=0.05)
        return await reader.step(partitions, limit, ids)

    drainer = Drainer(inbox, bell, step, batch_rows=BATCH)
    async with running(drainer.run(), drainer.isolated_retries.run(every=0.01)):
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 3, "parked": 1}
    [parked] = await Parking(inbox).page((), 10)
    assert (parked.row_id, parked.attempts, parked.reason_code) == (slow, MAX_ATTEMPTS, ReasonCode.TOO_LARGE)
    assert "raise LEADSCORE_TRANSACTION_SECONDS and retry it" in parked.reason


async def test_a_time_out_does_not_count_while_the_database_is_away(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row_id] = await put(inbox, 1)
    reader = Reader(database, inbox, row_id)
    reader.error = TransactionTimeout("no answer", 50)
    isolated_retries = IsolatedRetries(parking := Parking(inbox), Breaker(inbox), reader.step)
    monkeypatch.setattr(parking_module, "ANSWER_SECONDS", 0.0)
    with pytest.raises(TransactionTimeout):
        await isolated_retries.attempt(row_id)
    assert (await row(inbox, row_id))["attempts"] == 0
    assert await parking.count() == 0


async def test_what_says_that_it_is_too_large_is_parked_at_once(
    database: Database, inbox: Inbox, bell: Doorbell
) -> None:
    ids = await put(inbox, 10)
    reader = Reader(database, inbox, ids[3])
    reader.error = TooLarge("the lead has 1,000,000 events: discard the event")
    async with working(inbox, bell, reader) as drainer:
        await drained(inbox, drainer, 0)
    [parked] = await Parking(inbox).page((), 10)
    assert (parked.row_id, parked.attempts, parked.reason_code) == (ids[3], 1, ReasonCode.TOO_LARGE)
    assert parked.reason == "the lead has 1,000,000 events: discard the event"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError(), ReasonCode.FAILED),
        (TooLarge("planted"), ReasonCode.TOO_LARGE),
        (TransactionTimeout("planted", 50), ReasonCode.TOO_LARGE),
        (DocumentTooLarge("planted"), ReasonCode.TOO_LARGE),
        (OperationFailure("too large", 10334), ReasonCode.TOO_LARGE),
        (OperationFailure("too large for the cache", 257), ReasonCode.TOO_LARGE),
        (BulkWriteError({"writeErrors": [{"code": 17419}], "writeConcernErrors": []}), ReasonCode.TOO_LARGE),
        (ServerSelectionTimeoutError("planted"), None),
        (ExecutionTimeout("after conflicts", 50), None),
        (asyncio.CancelledError(), None),
    ],
    ids=repr,
)
def test_what_an_error_says_of_the_row(error: BaseException, code: ReasonCode | None) -> None:
    failure = failure_of(error)
    assert (failure and failure.code) == code


async def test_a_discarded_row_is_never_drained_and_nothing_brings_it_back(
    database: Database, inbox: Inbox, bell: Doorbell
) -> None:
    first, second, third = await put(inbox, 3)
    parking = Parking(inbox)
    for row_id in (first, second):
        isolated_row = await parking.begin(row_id)
        assert isolated_row is not None
        await parking.park(isolated_row, DIED)
    assert await parking.discard([first, third, "unknown"], "a bot", "eve") == 1
    assert await parking.discard([first], "another reason", "mallory") == 0
    assert await parking.retry(None) == 1
    async with working(inbox, bell, Reader(database, inbox)) as drainer:
        await drained(inbox, drainer, 0)
    assert await states(inbox) == {"read": 2, DISCARDED: 1}
    discarded = await row(inbox, first)
    assert (discarded["discard_reason"], discarded["discard_actor"]) == ("a bot", "eve")
    assert discarded["reason"] == DIED.reason
    assert await parking.count() == 0
