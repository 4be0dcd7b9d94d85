"""What callers see while the backlog is too large."""

from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc
import pytest
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from ingest_service.domain.backlog import RETRY_SECONDS
from ingest_service.domain.event import MAX_EVENTS
from ingest_service.servicer import ERRORS, IngestServicer
from ingest_service.usecases.ingest import Ingest
from shared import wire
from shared.group_commit import GroupCommit
from shared.rpc.retries import retry_seconds
from testkit.serving import refusal, served
from tests.conftest import PARTITIONS
from tests.ingest.conftest import LIMITS, World
from tests.ingest.fakes import NOW, FakeDoorbell

Stub: TypeAlias = "ingest_pb2_grpc.IngestServiceAsyncStub"
EMPTY_BATCH = pb.BatchIngestEventsRequest()


@pytest.fixture
async def stub(world: World) -> AsyncIterator[Stub]:
    group = GroupCommit(world.store.put, limit=MAX_EVENTS, seconds=5)
    servicer = IngestServicer(Ingest(world.store, group, FakeDoorbell(), world.clock, world.monitor.refusal))
    async with served(
        ERRORS,
        lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(servicer, server),
        gate=world.monitor.check_call,
    ) as channel:
        yield ingest_pb2_grpc.IngestServiceStub(channel)


def message(event_id: str, lead_id: str) -> pb.Event:
    return pb.Event(event_id=event_id, lead_id=lead_id, event_type="page_view", event_time=wire.to_timestamp(NOW))


@pytest.mark.parametrize("batch", [False, True])
async def test_callers_learn_when_to_retry_while_all_partitions_are_behind(
    world: World, stub: Stub, batch: bool
) -> None:
    for partition in range(PARTITIONS):
        await world.put(world.lead_in(partition), 1)
    world.now += 2 * LIMITS.age
    assert await world.all_refused()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (stub.BatchIngestEvents(EMPTY_BATCH) if batch else stub.IngestEvent(pb.IngestEventRequest()))
    assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKLOG_TOO_OLD", [])
    assert "600 s (limit: 300 s): start scoring workers" in (caught.value.details() or "")
    delay = retry_seconds(caught.value)
    assert delay is not None
    assert 0.5 * RETRY_SECONDS <= delay <= 1.5 * RETRY_SECONDS


@pytest.mark.parametrize(("count", "reason"), [(1, "PARTITION_BEHIND"), (1001, "LEAD_BEHIND")])
async def test_a_call_is_refused_with_the_reason(world: World, stub: Stub, count: int, reason: str) -> None:
    behind, other = world.lead_in(1), world.lead_in(2)
    await world.put(behind, count)
    world.now += 2 * LIMITS.age
    await world.monitor.refresh()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(pb.IngestEventRequest(event=message("x", behind)))
    assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, reason, [])
    assert 0.5 * RETRY_SECONDS <= (retry_seconds(caught.value) or 0) <= 1.5 * RETRY_SECONDS
    accepted = await stub.IngestEvent(pb.IngestEventRequest(event=message("x", other)))
    assert accepted.outcome == pb.OUTCOME_ACCEPTED
    assert await world.inbox.rows.count_documents({}) == count + 1


async def test_only_the_affected_events_of_a_batch_are_refused(world: World, stub: Stub) -> None:
    heavy, neighbour, other = world.lead_in(1), world.lead_in(1, name="neighbour"), world.lead_in(2)
    await world.put(heavy, LIMITS.lead_events + 1)
    await world.monitor.refresh()
    events = [
        message("a", heavy),
        message("b", neighbour),
        message("c", heavy),
        message("", heavy),
        message("d", other),
    ]
    answer = await stub.BatchIngestEvents(pb.BatchIngestEventsRequest(events=events))
    assert [each.outcome for each in answer.outcomes] == [
        pb.OUTCOME_RETRY_LATER,
        pb.OUTCOME_ACCEPTED,
        pb.OUTCOME_RETRY_LATER,
        pb.OUTCOME_REJECTED,
        pb.OUTCOME_ACCEPTED,
    ]
    later = answer.outcomes[0]
    assert (later.event_id, later.reason, later.field) == ("a", pb.ERROR_REASON_LEAD_BEHIND, "")
    assert "too many events of this lead are waiting to be scored (at least 1,001)" in later.message
    assert 0.5 * RETRY_SECONDS <= later.retry_delay.ToTimedelta().total_seconds() <= 1.5 * RETRY_SECONDS
    assert await world.inbox.rows.count_documents({"_id": {"$in": ["a", "c"]}}) == 0
