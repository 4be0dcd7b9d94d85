"""The inbox on a real database: each row is handed out until one transaction has marked it, and no later."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from dramatiq.brokers.redis import RedisBroker
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect, PyMongoError
from structlog.testing import capture_logs

from shared import watchdog
from shared.inbox import broker as brokers
from shared.inbox import consumer as drainers
from shared.inbox import doorbell
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer, sweep
from shared.inbox.doorbell import MAX_TOGETHER, Doorbell
from shared.mongo import Database, Document, transact
from shared.settings import StartupError
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.letters import LETTERS

NAME = "letters"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = range(PARTITIONS)
BATCH = 10


class RecordingDoorbell(Doorbell):
    """A doorbell that remembers what it was rung for."""

    def __init__(self, broker: RedisBroker, inbox: str) -> None:
        super().__init__(broker, inbox)
        self.rung: list[list[int]] = []

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings, and remembers it unless it is for nothing."""
        asked = list(partitions)
        if asked:
            self.rung.append(asked)
        super().ring(asked)


class Steps:
    """A drain's steps: what they were asked for, and how many rows they say that they did."""

    def __init__(self, *done: int, bad: int | None = None) -> None:
        self.asked: list[list[int]] = []
        self._done = list(done)
        self._bad = bad

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Does a step; it fails when it is for the bad partition, and does nothing when no number is left."""
        assert limit == BATCH
        self.asked.append(list(partitions))
        if self._bad in partitions:
            raise PyMongoError("planted")
        return self._done.pop(0) if self._done else 0


def inbox_of(database: Database, partitions: int = PARTITIONS) -> Inbox:
    return Inbox(database, LETTERS, partitions=partitions)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    """An inbox in an empty database."""
    made = inbox_of(database)
    await made.migrate()
    return made


@pytest.fixture
def bell(redis_url: str) -> Iterator[RecordingDoorbell]:
    """The doorbell of an inbox of this test's own."""
    broker = brokers.connect(redis_url)
    yield RecordingDoorbell(broker, f"{NAME}_{uuid.uuid4().hex}")
    broker.client.close()


async def put(inbox: Inbox, *keys: str, time: datetime = NOW) -> None:
    """Puts a row per key, a millisecond after the other; the id is the key and the row's number."""
    rows = [
        {"_id": f"{key}-{index}", **inbox.pending_row(key, time + timedelta(milliseconds=index))}
        for index, key in enumerate(keys)
    ]
    await inbox.rows.insert_many(rows)


async def ids_pending(inbox: Inbox, partitions: Sequence[int] = ALL) -> list[str]:
    return [row["_id"] for row in await inbox.pending(partitions, 1000)]


def key_in(inbox: Inbox, partition: int) -> str:
    """Returns a key of a partition."""
    return next(key for key in map(str, range(10_000)) if inbox.partition_of(key) == partition)


@given(st.text(), st.integers(1, 4096))
def test_a_key_has_one_partition_within_the_range(key: str, partitions: int) -> None:
    inbox = Inbox({NAME: None, "inboxes": None}, LETTERS, partitions=partitions)  # type: ignore[arg-type]
    assert inbox.partition_of(key) in range(partitions)
    assert inbox.partition_of(key) == inbox.partition_of(key)


async def test_partitions_stay_what_they_are_in_databases_that_exist(database: Database) -> None:
    assert [inbox_of(database, 64).partition_of(key) for key in ("ada", "bob", "né")] == [40, 0, 57]


async def test_what_is_put_is_pending_and_what_is_marked_is_not(inbox: Inbox) -> None:
    await put(inbox, "ada", "bob", "ada")
    rows = await inbox.pending(ALL, 1000)
    assert {row["_id"] for row in rows} == {"ada-0", "bob-1", "ada-2"}
    await inbox.mark([row for row in rows if row["_id"] != "bob-1"])
    assert await ids_pending(inbox) == ["bob-1"]
    assert await inbox.count_pending() == 1
    marked = await inbox.rows.find_one({"_id": "ada-0"})
    assert marked is not None
    assert marked["state"] == "read"


async def test_rows_come_by_partition_then_by_age_and_no_more_than_asked_for(inbox: Inbox) -> None:
    first, second = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, second, first, second, first)
    in_order = [f"{first}-1", f"{first}-3", f"{second}-0", f"{second}-2"]
    assert await ids_pending(inbox) == in_order
    assert [row["_id"] for row in await inbox.pending(ALL, 3)] == in_order[:3]


async def test_only_the_partitions_asked_for_are_read(inbox: Inbox) -> None:
    mine, other = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, mine, other)
    assert await ids_pending(inbox, [2, 3]) == [f"{mine}-0"]
    assert await ids_pending(inbox, []) == []


async def test_a_projection_leaves_fields_out(inbox: Inbox) -> None:
    await put(inbox, "ada")
    assert await inbox.pending(ALL, 10, {"_id": True}) == [{"_id": "ada-0"}]


async def test_still_pending_leaves_out_what_was_marked_since(inbox: Inbox) -> None:
    await put(inbox, "ada", "bob")
    rows = await inbox.pending(ALL, 10)
    await inbox.mark(rows[:1])
    assert await inbox.still_pending(rows) == rows[1:]
    assert await inbox.still_pending([]) == []


async def test_waiting_tells_the_oldest_row_of_each_partition(inbox: Inbox) -> None:
    assert await inbox.waiting() == {}
    first, second = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, first, first, second)
    await inbox.mark([{"_id": f"{first}-0"}])
    assert await inbox.waiting() == {
        2: NOW + timedelta(milliseconds=1),
        5: NOW + timedelta(milliseconds=2),
    }


async def test_pending_rows_are_found_by_the_index(inbox: Inbox) -> None:
    await put(inbox, "ada")
    found = inbox.rows.find({"state": "pending", "partition": {"$in": [1, 2]}})
    plan = await found.sort([("partition", 1), ("accept_time", 1)]).explain()
    stages = str(plan["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in stages
    assert "'SORT'" not in stages
    assert list(await inbox.rows.index_information()) == ["_id_", "pending", "pending_by_key", "isolated"]


async def test_rows_of_excluded_keys_are_left_out_without_being_read(inbox: Inbox) -> None:
    await put(inbox, *["heavy"] * 100, "ada", "bob", "heavy")
    rows = await inbox.pending(ALL, 1000, exclude_keys={"heavy", "unknown"})
    assert {row["_id"] for row in rows} == {"ada-100", "bob-101"}
    ids = ["heavy-3", "ada-100"]
    assert [row["_id"] for row in await inbox.pending(ALL, 10, ids=ids, exclude_keys=["heavy"])] == ["ada-100"]
    partition = inbox.partition_of("heavy")
    condition = {
        "state": "pending",
        "partition": {"$in": [partition]},
        "attempts": {"$exists": False},
        "lead_id": {"$nin": ["heavy"]},
    }
    found = inbox.rows.find(condition).sort([("partition", 1), ("accept_time", 1)]).hint("pending")
    statistics = (await found.explain())["executionStats"]
    assert statistics["totalDocsExamined"] == statistics["nReturned"]


async def test_the_rows_of_one_key_come_oldest_first_and_are_found_by_an_index(inbox: Inbox) -> None:
    await put(inbox, "ada", "bob", "ada", "ada")
    await inbox.rows.update_one({"_id": "ada-0"}, {"$set": {"attempts": 1}})
    assert [row["_id"] for row in await inbox.pending_of("ada", 10)] == ["ada-2", "ada-3"]
    assert await inbox.pending_of("ada", 1, {"_id": True}) == [{"_id": "ada-2"}]
    assert await inbox.pending_of("nobody", 10) == []
    plan = await inbox.rows.find({"state": "pending", "lead_id": "ada"}).sort("accept_time", 1).explain()
    stages = str(plan["queryPlanner"]["winningPlan"])
    assert "pending_by_key" in stages
    assert "'SORT'" not in stages


async def test_reading_stops_before_too_many_bytes_and_returns_at_least_one_row(inbox: Inbox) -> None:
    rows = [
        {"_id": f"row-{index}", "text": "x" * 1000, **inbox.pending_row("ada", NOW + timedelta(milliseconds=index))}
        for index in range(300)
    ]
    await inbox.rows.insert_many(rows)
    size = len(bson.encode(rows[0]))
    for max_bytes, count in ((1, 1), (size, 1), (2 * size, 2), (10 * size, 10), (1_000_000, 300)):
        found = await inbox.pending(ALL, 1000, max_bytes=max_bytes)
        assert abs(len(found) - count) <= count // 10, max_bytes  # ids differ in length by a byte or two
        assert await inbox.pending_of("ada", 1000, max_bytes=max_bytes) == found
    assert found == rows


async def test_an_inbox_is_made_once_and_its_rows_stay(inbox: Inbox) -> None:
    await put(inbox, "ada")
    await inbox.migrate()
    await inbox.check()
    assert await inbox.count_pending() == 1


async def test_another_number_of_partitions_is_refused_with_the_remedy(database: Database, inbox: Inbox) -> None:
    other = inbox_of(database, 2 * PARTITIONS)
    for attempt in (other.check(), other.migrate()):
        with pytest.raises(StartupError) as caught:
            await attempt
        sentence = f"the database was made with {PARTITIONS} partitions: set LEADSCORE_PARTITIONS={PARTITIONS}"
        assert str(caught.value) == sentence
    await inbox.check()


async def test_an_inbox_that_nobody_made_is_refused_with_the_remedy(database: Database) -> None:
    with pytest.raises(StartupError) as caught:
        await inbox_of(database).check()
    assert str(caught.value) == "the database has no inbox 'letters': run migrate of every service first"


async def test_a_put_rolls_back_with_its_transaction(database: Database, inbox: Inbox) -> None:
    async def body() -> None:
        await put(inbox, "ada")
        assert await inbox.count_pending() == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transact(database, body, seconds=5)
    assert await inbox.count_pending() == 0


async def test_a_mark_rolls_back_with_its_transaction(database: Database, inbox: Inbox) -> None:
    await put(inbox, "ada")

    async def body() -> None:
        await inbox.mark(await inbox.pending(ALL, 10))
        assert await inbox.count_pending() == 0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transact(database, body, seconds=5)
    assert await ids_pending(inbox) == ["ada-0"]


async def test_two_drains_of_the_same_rows_conflict_and_one_begins_again(database: Database, inbox: Inbox) -> None:
    await put(inbox, "ada", "bob")
    meeting = asyncio.Barrier(2)
    reads: list[int] = []

    async def drain() -> int:
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await inbox.pending(ALL, 10)
            reads.append(len(rows))
            if len(reads) <= 2:
                await meeting.wait()  # both have read before either marks
            await inbox.mark(rows)

        await transact(database, body, seconds=10)
        return len(rows)

    assert sorted(await asyncio.gather(drain(), drain())) == [0, 2]
    assert (reads[:2], reads[-1]) == ([2, 2], 0), "whoever came second is expected to have read again"


@pytest.mark.parametrize("drains", [2, 8])
async def test_each_row_is_handed_to_one_committed_transaction(database: Database, inbox: Inbox, drains: int) -> None:
    keys = [f"key-{number}" for number in range(120)]
    await put(inbox, *keys)
    handed = database["handed"]
    await database.create_collection(handed.name)

    async def step() -> int:
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await inbox.pending(ALL, BATCH)
            if rows:
                await handed.insert_many([{"row": row["_id"]} for row in rows])
                await inbox.mark(rows)

        await transact(database, body, seconds=60)
        return len(rows)

    async def drain() -> int:
        total = 0
        while done := await step():
            total += done
        return total

    assert sum(await asyncio.gather(*(drain() for _ in range(drains)))) == len(keys)
    counts = Counter([each["row"] async for each in handed.find({})])
    assert counts == Counter(f"{key}-{index}" for index, key in enumerate(keys))
    assert await inbox.count_pending() == 0


async def test_rows_put_while_others_are_drained_are_not_missed(database: Database, inbox: Inbox) -> None:
    total = 200
    putting = True

    async def produce() -> None:
        nonlocal putting
        for number in range(total):
            await inbox.rows.insert_one({"_id": number, **inbox.pending_row(str(number), NOW)})
        putting = False

    async def consume() -> list[int]:
        seen: list[int] = []
        while putting or await inbox.count_pending():
            rows: list[Document] = []

            async def body() -> None:
                nonlocal rows
                rows = await inbox.pending(ALL, BATCH)
                await inbox.mark(rows)

            await transact(database, body, seconds=30)
            seen += [row["_id"] for row in rows]
        return seen

    _, *seen = await asyncio.gather(produce(), consume(), consume())
    assert sorted(seen[0] + seen[1]) == list(range(total))


async def test_a_drain_goes_on_until_a_batch_is_not_full(inbox: Inbox, bell: RecordingDoorbell) -> None:
    steps = Steps(BATCH, BATCH, 3, BATCH)
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH)
    async with running(drainer.run()):
        await drainer.drain([1])
        await steps_are(steps, [[1]] * 3)
        await drainer.drain([2])
        await steps_are(steps, [[1]] * 3 + [[2]] * 2)
    assert bell.rung == [], "a partition that is empty needs no ring"


async def test_a_drain_gives_way_after_some_batches_and_rings_itself_again(
    inbox: Inbox, bell: RecordingDoorbell
) -> None:
    steps = Steps(*[BATCH] * 3, 0, *[BATCH] * 9)
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH, batches=3)
    async with running(drainer.run()):
        await drainer.drain([1, 2])
        await eventually(lambda: _true(bell.rung), what="the drain rings for what it has left")
        await drainer.drain([3])
        await steps_are(steps, [[1, 2]] * 3 + [[3]])
    assert bell.rung == [[1, 2]]


async def test_partitions_that_wait_together_are_drained_together_once(inbox: Inbox, bell: RecordingDoorbell) -> None:
    steps = Steps()
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH)
    for partitions in ([5, 1], [3], [1]):
        await drainer.drain(partitions)
    async with running(drainer.run()):
        await steps_are(steps, [[1, 3, 5]])


async def test_two_lanes_share_the_work(inbox: Inbox, bell: RecordingDoorbell) -> None:
    meeting = asyncio.Barrier(2)
    begun: list[list[int]] = []
    ended: list[list[int]] = []

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        begun.append(list(partitions))
        await meeting.wait()  # neither goes on before both are at work
        ended.append(list(partitions))
        return 0

    drainer = Drainer(inbox, bell, step, batch_rows=BATCH)
    async with running(drainer.run(), drainer.run()):
        await drainer.drain([1])
        await eventually(lambda: _true(begun), what="one lane is at work")
        await drainer.drain([2])
        await eventually(lambda: _true(len(ended) == 2), what="both lanes are at work at the same time")
    assert sorted(ended) == [[1], [2]]


async def test_a_lane_ends_although_what_it_awaits_swallows_its_cancellation(
    inbox: Inbox, bell: RecordingDoorbell
) -> None:
    began = asyncio.Event()

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        began.set()
        with contextlib.suppress(asyncio.CancelledError):  # as `asyncio.wait_for` does when its result is there
            await asyncio.Event().wait()
        return 0

    drainer = Drainer(inbox, bell, step, batch_rows=BATCH)
    async with asyncio.timeout(5), running(drainer.run()):
        await drainer.drain([1])
        await began.wait()


async def test_whoever_hands_over_waits_while_there_is_no_room(database: Database, bell: RecordingDoorbell) -> None:
    steps = Steps()
    inbox = inbox_of(database, partitions=100)
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH)
    await drainer.drain(range(MAX_TOGETHER))
    late = asyncio.create_task(drainer.drain([99]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not late.done(), "expected to wait for room"
    async with running(drainer.run()):
        await asyncio.wait_for(late, 30)
        await steps_are(steps, [list(range(MAX_TOGETHER)), [99]])


async def test_a_partition_that_fails_does_not_hold_up_the_others(inbox: Inbox, bell: RecordingDoorbell) -> None:
    steps = Steps(bad=2)
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH)
    with capture_logs() as lines:
        async with running(drainer.run()):
            await drainer.drain([1, 2, 3])
            await steps_are(steps, [[1, 2, 3], [1], [2], [3]])
    failed = [line["partitions"] for line in lines if line["event"] == "drain failed"]
    assert failed == [[1, 2, 3], [2]]


@pytest.mark.parametrize("error", [PyMongoError("planted"), TimeoutError(), KeyError("field"), AssertionError()])
async def test_a_drain_that_fails_ends_neither_its_lane_nor_its_lease(
    inbox: Inbox, bell: RecordingDoorbell, error: Exception
) -> None:
    errors = [error]
    drained: list[list[int]] = []

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        drained.append(list(partitions))
        if errors:
            raise errors.pop()
        return 0

    drainer = Drainer(inbox, bell, step, batch_rows=BATCH)
    with capture_logs() as lines:
        async with running(drainer.run()):
            await drainer.drain([1])
            await eventually(lambda: _true(drained), what="a drain that fails")
            await drainer.drain([1])
            await eventually(lambda: _true(len(drained) == 2), what="another one, by the same lane")
    of_environment = isinstance(error, OSError | PyMongoError)
    assert [line["event"] for line in lines] == ["drain failed" if of_environment else "batch is cut"]


async def test_a_partition_that_another_drain_has_is_left_to_it(
    inbox: Inbox, bell: RecordingDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "LEASE_MILLISECONDS", 60_000)
    steps = Steps()
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH)
    async with bell.lease([1]), running(drainer.run()):
        await drainer.drain([1])
        await drainer.drain([1, 2])
        await steps_are(steps, [[2]])
    assert bell.rung == []


async def test_a_sweep_rings_only_for_what_has_waited_long(inbox: Inbox, bell: RecordingDoorbell) -> None:
    now = datetime.now(UTC)
    await put(inbox, key_in(inbox, 2), time=now - timedelta(minutes=1))
    await put(inbox, key_in(inbox, 5), time=now)
    await put(inbox, key_in(inbox, 6), time=now - timedelta(minutes=1))
    await inbox.mark(await inbox.pending([6], 1))
    async with running(sweep(inbox, bell, age=timedelta(seconds=30), every=0.01)):
        await eventually(lambda: _true(len(bell.rung) >= 3), what="it rings again and again")
        await inbox.mark(await inbox.pending([2], 1))
        await put(inbox, key_in(inbox, 3), time=now - timedelta(minutes=1))
        await eventually(lambda: _true(bell.rung[-1] == [3]), what="it rings for what waits by then")
    assert set(map(tuple, bell.rung)) == {(2,), (3,)}


async def test_a_sweep_rings_for_what_was_put_before_the_clock_was_set_back(
    inbox: Inbox, bell: RecordingDoorbell
) -> None:
    now = datetime.now(UTC)
    await put(inbox, key_in(inbox, 2), time=now + timedelta(hours=1))
    await put(inbox, key_in(inbox, 5), time=now + timedelta(seconds=20))  # clocks of machines differ a little
    async with running(sweep(inbox, bell, age=timedelta(seconds=30), every=0.01)):
        await eventually(lambda: _true(len(bell.rung) >= 3), what="it rings for the hour")
    assert set(map(tuple, bell.rung)) == {(2,)}


async def test_a_sweep_outlives_an_error_of_the_database(
    inbox: Inbox, bell: RecordingDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[PyMongoError] = [AutoReconnect("planted"), PyMongoError("planted")]
    waiting = inbox.waiting_for_drain

    async def fail_at_first() -> dict[int, datetime]:
        if errors:
            raise errors.pop()
        return await waiting()

    monkeypatch.setattr(inbox, "waiting_for_drain", fail_at_first)
    await put(inbox, key_in(inbox, 2))
    with capture_logs() as lines:
        async with running(sweep(inbox, bell, age=timedelta(seconds=1), every=0.01)):
            await eventually(lambda: _true(bell.rung), what="it rings after the errors")
    assert [line["event"] for line in lines] == ["sweep failed"] * 2


async def steps_are(steps: Steps, asked: list[list[int]]) -> None:
    await eventually(lambda: _true(len(steps.asked) >= len(asked)), what=f"steps for {asked}")
    assert steps.asked == asked


async def _true(condition: object) -> bool:
    return bool(condition)


@pytest.mark.parametrize(
    "ring", [None, 7, "12", {1: 2}, [True], [-1], [PARTITIONS], ["1"], [1, None], [[1]], [1.0], [1] * 5000]
)
async def test_a_ring_that_names_no_partitions_is_dropped_with_a_line(
    inbox: Inbox, bell: RecordingDoorbell, ring: Any
) -> None:
    steps = Steps()
    drainer = Drainer(inbox, bell, steps.step, batch_rows=BATCH)
    with capture_logs() as lines:
        async with running(drainer.run()):
            await drainer.drain(ring)
            await drainer.drain([1])
            await steps_are(steps, [[1]])
    assert [line["event"] for line in lines] == ["malformed ring dropped"]


async def test_idle_lanes_turn_and_a_stuck_one_shows(
    inbox: Inbox, bell: RecordingDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drainers, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "MAX_SILENT_SECONDS", 0.5)
    begun = asyncio.Event()

    async def stuck(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    async def is_alive() -> bool:
        return drainer.heartbeat.is_alive()

    async def is_stuck() -> bool:
        return not drainer.heartbeat.is_alive()

    drainer = Drainer(inbox, bell, stuck, batch_rows=BATCH)
    assert not drainer.heartbeat.is_alive(), "no lane runs"
    async with running(drainer.run(), drainer.run()):
        await eventually(is_alive, what="lanes that run are alive")
        first = drainer.heartbeat.turns()

        async def all_have_turned() -> bool:
            turns = drainer.heartbeat.turns()
            return len(turns) == 2 and all(turns[lane] > first.get(lane, 0) for lane in turns)

        await eventually(all_have_turned, what="idle lanes turn")
        await drainer.drain([1])
        await begun.wait()
        await eventually(is_stuck, what="one lane does not turn, although the other does")
    assert not drainer.heartbeat.turns(), "lanes that have ended are none"
