"""The WatchLeads RPC: changes over gRPC, bad arguments, slow callers, and a server that stops."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import grpc
import pytest
from leadscore.intelligence.v1 import intelligence_pb2 as pb
from leadscore.intelligence.v1 import intelligence_pb2_grpc

from cli.local.embedded import free_port
from intelligence_service import watchers as module
from intelligence_service.app import run_server
from intelligence_service.ports import LeadChanges
from intelligence_service.servicer import ERRORS, IntelligenceServicer
from intelligence_service.settings import IntelligenceSettings
from intelligence_service.watchers import Watchers
from shared.contracts.score_changes import CONTRACT
from shared.lead_ids import LeadIds
from shared.mongo import Database
from shared.settings import load
from testkit.serving import refusal, served
from testkit.waiting import eventually
from tests.intelligence.fakes import NOW, FakeLeadChanges
from tests.intelligence.watching import change, intelligence


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

        await eventually(is_closed, what="the stream is closed once its caller has gone")


async def test_a_server_that_stops_does_not_wait_for_its_watchers(
    database: Database, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.create_collection(CONTRACT.collection)
    await LeadIds("").record(database)
    port, before = free_port(), signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("LEADSCORE_PORT", str(port))
    monkeypatch.setenv("LEADSCORE_MONGO_URI", database_uri)
    monkeypatch.setenv("LEADSCORE_STOP_SECONDS", "60")
    settings = load(IntelligenceSettings)
    server = asyncio.create_task(run_server(settings))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = intelligence_pb2_grpc.IntelligenceServiceStub(channel)
        answers = aiter(stub.WatchLeads(pb.WatchLeadsRequest(), wait_for_ready=True))
        first = asyncio.ensure_future(anext(answers))
        await asyncio.wait([first, server], return_when=asyncio.FIRST_COMPLETED)
        assert not server.done(), "expected the server to run"
        assert (await first).resume_token
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(server, settings.stop_seconds / 2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(answers)
    signal.signal(signal.SIGTERM, before)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def read_slowly(answers: AsyncIterator[object]) -> None:
    async for _ in answers:
        await asyncio.sleep(0.001)  # a slow reader, not a wait


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
