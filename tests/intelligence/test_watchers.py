"""Watching: nothing is missed, nothing comes twice, nobody waits for the slow, and all read one stream."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import grpc
import pytest
from leadscore.intelligence.v1 import intelligence_pb2 as pb
from leadscore.intelligence.v1 import intelligence_pb2_grpc
from pymongo.errors import ExecutionTimeout, OperationFailure

from cli.local.embedded import free_port
from intelligence_service import watchers as module
from intelligence_service.app import run_server
from intelligence_service.domain.watch import (
    Interest,
    LeadChange,
    ResumeTokenExpired,
    TooManyWatchers,
    WatcherTooSlow,
)
from intelligence_service.ports import LeadChanges, ScoreReader, StreamPosition
from intelligence_service.servicer import ERRORS, IntelligenceServicer
from intelligence_service.settings import IntelligenceSettings
from intelligence_service.store import CHANGES, MongoLeadChanges
from intelligence_service.usecases import Intelligence
from intelligence_service.watchers import Watchers, WatchUpdate
from shared.mongo import Database
from shared.rpc.errors import InvalidArgument, Stopping
from shared.settings import load
from testkit.serving import refusal, served
from testkit.waiting import eventually
from tests.intelligence.fakes import NOW, FakeLeadChanges, FakeModels, FakeScores, facts

ALL = Interest()
LEADS = [facts("ada", score=70), facts("bob", score=35), facts("cyd", score=5)]


def change(lead_id: str, sequence: int = 1, score: int = 40, stage: str = "hot") -> LeadChange:
    return LeadChange(lead_id, sequence, 0, score, "cold", stage, ("page_view",), NOW)


def intelligence(scores: ScoreReader | None = None) -> Intelligence:
    return Intelligence(scores or FakeScores(*LEADS), FakeModels(), lambda: NOW)


@pytest.fixture
def changes() -> FakeLeadChanges:
    return FakeLeadChanges()


@pytest.fixture
async def subject(changes: FakeLeadChanges) -> AsyncIterator[Watchers]:
    async with contextlib.aclosing(Watchers(changes, intelligence())) as watchers:
        yield watchers


async def begin(watchers: Watchers, interest: Interest = ALL, token: str = "") -> AsyncGenerator[WatchUpdate, None]:
    """Returns a watch that has begun."""
    watch = watchers.watch(interest, token)
    [first] = await take(watch, 1)
    assert (first.change, first.insight) == (None, None)
    return watch


async def take(watch: AsyncGenerator[WatchUpdate, None], count: int) -> list[WatchUpdate]:
    async with asyncio.timeout(30):
        return [await anext(watch) for _ in range(count)]


def seen(updates: Sequence[WatchUpdate]) -> list[tuple[str, int]]:
    return [(each.change.lead_id, each.change.sequence) for each in updates if each.change]


async def test_a_watcher_sees_each_change_with_its_insight(subject: Watchers, changes: FakeLeadChanges) -> None:
    await changes.commit(change("ada", 1))
    watch = await begin(subject)
    await changes.commit(change("ada", 2), change("bob", 1))
    await changes.commit(change("ada", 3))
    updates = await take(watch, 3)
    assert seen(updates) == [("ada", 2), ("bob", 1), ("ada", 3)]
    assert [each.insight.facts.score for each in updates if each.insight] == [70, 35, 70]


@pytest.mark.parametrize(
    ("interest", "wanted"),
    [
        (Interest(stages=frozenset({"hot", "warm"})), ["ada", "bob"]),
        (Interest(minimum_score=40), ["ada"]),
        (Interest(lead_ids=frozenset({"bob", "cyd", "dan"})), ["bob", "cyd"]),
        (Interest(frozenset({"hot"}), 41, frozenset({"ada", "dan"})), []),
    ],
)
async def test_a_watcher_sees_what_it_wants_only(
    subject: Watchers, changes: FakeLeadChanges, interest: Interest, wanted: list[str]
) -> None:
    watch, everything = await begin(subject, interest), await begin(subject)
    some = [change("cyd", 1, 5, "cold"), change("bob", 1, 39, "warm"), change("ada", 1, 40, "hot")]
    await changes.commit(*some, change("dan", 1, 50, "hot"))  # the last one is wanted by all
    expected = [each.lead_id for each in some if each.lead_id in wanted] + ["dan"]
    assert [lead_id for lead_id, _ in seen(await take(watch, len(expected)))] == expected
    assert len(await take(everything, 4)) == 4


async def test_whoever_resumes_misses_nothing_and_sees_nothing_twice(
    subject: Watchers, changes: FakeLeadChanges
) -> None:
    watch = await begin(subject)
    await changes.commit(*(change("ada", number) for number in range(1, 4)))
    token = (await take(watch, 2))[1].token
    await watch.aclose()
    await changes.commit(change("ada", 4))
    other = await begin(subject)
    await changes.commit(change("ada", 5))
    await take(other, 1)
    again = await begin(subject, ALL, token)
    await changes.commit(change("ada", 6))
    assert seen(await take(again, 4)) == [("ada", number) for number in (3, 4, 5, 6)]
    assert changes.streams == 1


async def test_resuming_while_changes_come_misses_nothing(subject: Watchers, changes: FakeLeadChanges) -> None:
    watch = await begin(subject)
    token, count = "", 300
    found: list[int] = []

    async def commit() -> None:
        for number in range(1, count + 1):
            await changes.commit(change("ada", number))
            await asyncio.sleep(0)

    committing = asyncio.create_task(commit())
    while len(found) < count:
        updates = await take(watch, min(7, count - len(found)))
        found += [each.change.sequence for each in updates if each.change]
        token = updates[-1].token
        await watch.aclose()
        watch = await begin(subject, ALL, token)
    await committing
    assert found == list(range(1, count + 1))


async def test_whoever_resumes_and_does_not_read_keeps_nobody_from_resuming(
    subject: Watchers, changes: FakeLeadChanges
) -> None:
    watch = await begin(subject)
    await changes.commit(*(change("ada", number) for number in range(1, 4)))
    [first, *_] = await take(watch, 3)
    idle = [await begin(subject, ALL, first.token) for _ in range(2 * module.CATCHING_UP)]
    again = await begin(subject, ALL, first.token)
    assert seen(await take(again, 2)) == [("ada", 2), ("ada", 3)]
    assert changes.streams == 1
    assert seen(await take(idle[0], 2)) == [("ada", 2), ("ada", 3)]


async def test_catching_up_ends_although_nothing_happens(subject: Watchers, changes: FakeLeadChanges) -> None:
    watch = await begin(subject)
    await changes.commit(change("ada", 1), change("ada", 2))
    token = (await take(watch, 2))[0].token
    again = await begin(subject, ALL, token)
    assert seen(await take(again, 1)) == [("ada", 2)]
    following = asyncio.create_task(take(again, 1))

    async def has_caught_up() -> bool:
        return changes.streams == 1

    await eventually(has_caught_up, what="whoever has caught up reads the stream of all")
    await changes.commit(change("ada", 3))
    assert seen(await following) == [("ada", 3)]


async def test_what_is_read_piece_by_piece_is_whole(
    subject: Watchers, changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TOGETHER", 4)
    watch = await begin(subject)
    await changes.commit(*(change(lead_id, number) for number in range(1, 16) for lead_id in ("ada", "bob")))
    token = (await take(watch, 1))[0].token
    again = await begin(subject, Interest(lead_ids=frozenset({"ada"})), token)
    await changes.commit(change("ada", 16))
    assert seen(await take(again, 15)) == [("ada", number) for number in range(2, 17)]


async def test_two_hundred_watchers_read_one_stream(subject: Watchers, changes: FakeLeadChanges) -> None:
    watches = [await begin(subject) for _ in range(200)]
    await changes.commit(change("ada"))
    assert all([seen(await take(watch, 1)) == [("ada", 1)] for watch in watches])
    assert changes.streams == 1
    for watch in watches:
        await watch.aclose()

    async def is_closed() -> bool:
        return changes.streams == 0

    await eventually(is_closed, what="without watchers no stream is read")


async def test_a_slow_watcher_is_cut_off_and_the_others_go_on(
    subject: Watchers, changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 20)
    slow, fast = await begin(subject), await begin(subject)
    found = []
    for number in range(1, 61):
        await changes.commit(change("ada", number))
        found += seen(await take(fast, 1))
    assert len(found) == 60
    with pytest.raises(WatcherTooSlow):
        await take(slow, 60)


async def test_there_is_an_end_to_watchers(subject: Watchers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WATCHERS", 1)
    first = await begin(subject)
    with pytest.raises(TooManyWatchers) as caught:
        await begin(subject)
    assert 5 <= caught.value.retry_seconds <= 15
    await first.aclose()
    await begin(subject)


class FailingChanges:
    """`LeadChanges` that end after the first place."""

    async def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields a place and fails."""
        yield StreamPosition("1")
        await asyncio.sleep(0.05)
        raise ConnectionError


async def test_when_the_stream_fails_every_watcher_is_told_and_the_next_one_begins_anew() -> None:
    watchers = Watchers(FailingChanges(), intelligence())
    for _ in range(2):
        watches = [await begin(watchers) for _ in range(2)]
        for watch in watches:
            with pytest.raises(ConnectionError):
                await take(watch, 1)


async def test_when_the_server_stops_every_watcher_is_told_to_go_on_elsewhere(
    subject: Watchers, changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TOGETHER", 1)
    watch, idle = await begin(subject), await begin(subject)
    await changes.commit(*(change("ada", number) for number in range(1, 4)))
    token = (await take(watch, 1))[0].token
    behind = await begin(subject, ALL, token)
    subject.stop()
    for each in (watch, idle, behind):
        with pytest.raises(Stopping):
            await take(each, 1)
    assert changes.streams == 0


async def put(database: Database, *some: LeadChange) -> None:
    for each in some:
        await database[CHANGES].insert_one(
            {
                "lead_id": each.lead_id,
                "sequence": each.sequence,
                "score_before": each.score_before,
                "score_after": each.score_after,
                "stage_before": each.stage_before,
                "stage_after": each.stage_after,
                "event_types": list(each.event_types),
                "record_time": each.record_time,
                "state": "pending",
                "more": "that nobody here reads",
            }
        )


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
    monkeypatch.setattr(module, "MAX_TOGETHER", 3)
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
async def test_a_token_that_is_none_is_refused(database: Database, token: str) -> None:
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
async def test_trouble_of_the_database_is_not_blamed_on_the_token(error: OperationFailure, token: str) -> None:
    changes = MongoLeadChanges({CHANGES: FailingCollection(error)})  # type: ignore[arg-type]  # all that is asked of it
    with pytest.raises(OperationFailure) as caught:
        await anext(changes.after(token))
    assert caught.value is error


async def stub_of(stack: contextlib.AsyncExitStack, changes: LeadChanges) -> object:
    watchers = await stack.enter_async_context(contextlib.aclosing(Watchers(changes, intelligence())))
    servicer = IntelligenceServicer(intelligence(), watchers)
    channel = await stack.enter_async_context(
        served(ERRORS, lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(servicer, server))
    )
    return intelligence_pb2_grpc.IntelligenceServiceStub(channel)


async def test_changes_come_over_grpc(changes: FakeLeadChanges) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stub: intelligence_pb2_grpc.IntelligenceServiceAsyncStub = await stub_of(stack, changes)  # type: ignore[assignment]
        call = stub.WatchLeads(pb.WatchLeadsRequest(stages=["hot"], minimum_score=1, lead_ids=["ada"]))
        answers = aiter(call)
        first = await anext(answers)
        assert first.resume_token
        assert not first.HasField("change")
        await changes.commit(change("ada"), change("bob"), change("ada", 2))
        found = [await anext(answers) for _ in range(2)]
        assert [each.change.sequence for each in found] == [1, 2]
        assert (found[0].lead_intelligence.lead_id, found[0].lead_intelligence.score) == ("ada", 70)
        assert found[0].change.record_time.ToDatetime(NOW.tzinfo) == NOW
        call.cancel()

        async def is_closed() -> bool:
            return changes.streams == 0

        await eventually(is_closed, what="a watcher that is gone is forgotten")


async def test_a_server_that_stops_does_not_wait_for_its_watchers(
    database: Database, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.create_collection(CHANGES)
    port, before = free_port(), signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("LEADSCORE_PORT", str(port))
    monkeypatch.setenv("LEADSCORE_MONGO_URI", database_uri)
    monkeypatch.setenv("LEADSCORE_STOP_SECONDS", "60")
    settings = load(IntelligenceSettings)
    server = asyncio.create_task(run_server(settings))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = intelligence_pb2_grpc.IntelligenceServiceStub(channel)
        answers = aiter(stub.WatchLeads(pb.WatchLeadsRequest(), wait_for_ready=True))
        assert (await anext(answers)).resume_token
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(server, settings.stop_seconds / 2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(answers)
    signal.signal(signal.SIGTERM, before)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def read_slowly(answers: AsyncIterator[object]) -> None:
    async for _ in answers:
        await asyncio.sleep(0.001)  # the slowness, not a wait of the test


async def test_a_caller_that_does_not_read_is_cut_off_with_resource_exhausted(
    changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 50)
    async with contextlib.AsyncExitStack() as stack:
        stub: intelligence_pb2_grpc.IntelligenceServiceAsyncStub = await stub_of(stack, changes)  # type: ignore[assignment]
        answers = aiter(stub.WatchLeads(pb.WatchLeadsRequest()))
        await anext(answers)
        await changes.commit(*(change("ada", number) for number in range(20_000)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_slowly(answers)
        assert refusal(caught.value)[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHER_TOO_SLOW")
        assert await anext(aiter(stub.WatchLeads(pb.WatchLeadsRequest())))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.WatchLeadsRequest(stages=["a\0"]), "stages[0]"),
        (pb.WatchLeadsRequest(stages=["a"] * 101), "stages"),
        (pb.WatchLeadsRequest(lead_ids=["a"] * 501), "lead_ids"),
        (pb.WatchLeadsRequest(lead_ids=[""]), "lead_ids[0]"),
    ],
)
async def test_a_bad_argument_is_named(changes: FakeLeadChanges, request_: pb.WatchLeadsRequest, field: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stub: intelligence_pb2_grpc.IntelligenceServiceAsyncStub = await stub_of(stack, changes)  # type: ignore[assignment]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(stub.WatchLeads(request_)))
        assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", [field])
