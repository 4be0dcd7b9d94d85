"""Refusals of the ingest service reach the sender in a form that its SDK retries, or does not."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from leadscore.ingest.v1 import ingest_pb2 as pb

from gateway_service.clients import IngestService
from gateway_service.servicer.routes import Callers
from shared.rpc.channels import connect
from testkit.waiting import eventually
from tests.gateway.serving import answering, gateway, settings_of
from tests.gateway.test_segment import MESSAGE, message
from tests.ingest.fakes import FakeEventStore, HeldEventStore


class Failing:
    """An ingest service whose calls fail."""

    def __init__(self, code: grpc.StatusCode, retry: float | None = None) -> None:
        status = status_pb2.Status(code=code.value[0], message="a sentence of the service")
        if retry is not None:
            delay = error_details_pb2.RetryInfo()
            delay.retry_delay.FromTimedelta(timedelta(seconds=retry))
            status.details.add().Pack(delay)
        trailing = grpc.aio.Metadata(*rpc_status.to_status(status).trailing_metadata)
        self._error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, status.message)

    async def send(self, events: Sequence[pb.Event]) -> list[pb.EventOutcome]:
        """Fails."""
        raise self._error


class Deferring:
    """An ingest service that accepts the first event and defers all others."""

    async def send(self, events: Sequence[pb.Event]) -> list[pb.EventOutcome]:
        """Returns an outcome per event."""
        later = pb.EventOutcome(
            outcome=pb.OUTCOME_RETRY_LATER, reason=pb.ERROR_REASON_LEAD_BEHIND, message="too many events of this lead"
        )
        later.retry_delay.FromTimedelta(timedelta(seconds=2.5))
        return [pb.EventOutcome(outcome=pb.OUTCOME_ACCEPTED), *[later] * (len(events) - 1)]


@pytest.mark.parametrize(
    ("code", "retry", "status", "retry_after"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 2.2, 429, "3"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None, 429, "1"),
        (grpc.StatusCode.UNAVAILABLE, None, 503, "1"),
        (grpc.StatusCode.ABORTED, None, 503, "1"),
        (grpc.StatusCode.CANCELLED, None, 503, "1"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, 504, "1"),
        (grpc.StatusCode.UNAUTHENTICATED, None, 401, None),
        (grpc.StatusCode.PERMISSION_DENIED, None, 403, None),
        (grpc.StatusCode.INVALID_ARGUMENT, None, 400, None),
        (grpc.StatusCode.INTERNAL, None, 500, None),
    ],
)
async def test_a_call_that_fails(
    code: grpc.StatusCode, retry: float | None, status: int, retry_after: str | None
) -> None:
    failing = Failing(code, retry)
    async with answering(Callers(lambda _: failing, failing)) as client:
        answer = await client.post("/v1/track", json=MESSAGE)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == retry_after
    assert answer.json()["code"] == code_pb2.Code.Value(code.name)
    assert answer.json()["message"] == "a sentence of the service"
    assert bool(answer.json().get("details")) is (retry is not None), "the details are passed on"


async def test_a_batch_of_which_some_are_deferred_is_sent_again() -> None:
    async with answering(Callers(lambda _: Deferring(), Deferring())) as client:
        answer = await client.post("/v1/batch", json={"batch": [MESSAGE, message(messageId="m2"), "flawed"]})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["message"] == "too many events of this lead"
    assert answer.json()["details"][0]["reason"] == "LEAD_BEHIND"


async def test_nobody_listens() -> None:
    async with connect("127.0.0.1:1", settings_of()) as channel:
        service = IngestService(channel)
        async with answering(Callers(lambda _: service, service)) as client:
            answer = await client.post("/v1/track", json=MESSAGE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "127.0.0.1" not in answer.text, "addresses of the inside are nobody's business"


async def test_an_unexpected_error_is_not_told() -> None:
    def broken(_: str | None) -> Failing:
        raise RuntimeError("secret of the code")

    async with answering(Callers(broken, Failing(grpc.StatusCode.OK))) as client:
        answer = await client.post("/v1/track", json=MESSAGE)
    assert answer.status_code == 500
    assert answer.json() == {"code": 13, "message": "internal error; see the log of the gateway for details"}


async def test_nothing_is_acknowledged_before_it_is_stored() -> None:
    store = HeldEventStore()
    async with gateway(store) as client:
        request = asyncio.create_task(client.post("/v1/track", json=MESSAGE))
        await store.begun.wait()
        assert not request.done()
        store.go.set()
        assert (await request).status_code == 200
    assert list(store.events) == ["m1"]


async def test_a_store_that_fails(store: FakeEventStore) -> None:
    store.faults.append(TimeoutError())
    async with gateway(store) as client:
        answer = await client.post("/v1/track", json=MESSAGE)
        assert answer.status_code == 504
        assert (await client.post("/v1/track", json=MESSAGE)).json()["accepted"] == 1


async def test_requests_beyond_the_slots_are_refused() -> None:
    store = HeldEventStore()
    async with gateway(store, call_slots=1, queue_seconds=0.05) as client:
        first = asyncio.create_task(client.post("/v1/track", json=MESSAGE))
        await store.begun.wait()
        answer = await client.post("/v1/track", json=message(messageId="m2"))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["details"][0]["reason"] == "OVERLOADED"
        store.go.set()
        assert (await first).status_code == 200

    async def all_stored() -> bool:
        return list(store.events) == ["m1"]

    await eventually(all_stored, what="the first event is stored, and the second one is not")
