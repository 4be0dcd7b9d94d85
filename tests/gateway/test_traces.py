"""A request is a span of its sender's trace, and the call of the ingest service goes on with it."""

import httpx

from ingest_service.servicer import SERVICE
from shared.traces.current import recorded
from tests.gateway.serving import gateway
from tests.gateway.test_segment import MESSAGE, send
from tests.ingest.fakes import FakeEventStore
from tests.shared.traces.recording import PARENT, has_failed, named, recording, traceparent


async def test_a_request_and_its_call_belong_to_the_trace_of_the_sender(store: FakeEventStore) -> None:
    with recording() as finished:
        async with gateway(store) as client:
            client.headers["traceparent"] = PARENT
            assert (await send(client, MESSAGE)).status_code == 200
    [request], [call] = named(finished, "POST /v1/batch"), named(finished, f"{SERVICE}/BatchIngestEvents")
    assert traceparent(request.parent) == PARENT
    assert traceparent(call.parent) == traceparent(request.context)
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/batch",
        "http.response.status_code": 200,
    }
    [event] = store.events.values()
    assert event.traceparent.startswith(traceparent(call.context)[:-2])
    assert recorded() == ""


async def test_a_fault_of_the_gateway_is_an_error_and_one_of_the_sender_is_not(store: FakeEventStore) -> None:
    with recording() as finished:
        async with gateway(store) as client:
            assert (await client.post("/v1/batch", content="[")).status_code == 400
            store.faults.append(ZeroDivisionError("secret"))
            assert (await send(client, MESSAGE)).status_code == 500
    refused, failed = named(finished, "POST /v1/batch")
    assert [has_failed(refused), has_failed(failed)] == [False, True]


async def test_without_traces_events_have_none(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    client.headers["traceparent"] = PARENT
    assert (await send(client, MESSAGE)).status_code == 200
    [event] = store.events.values()
    assert event.traceparent == ""
