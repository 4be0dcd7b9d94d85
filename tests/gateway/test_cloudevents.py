"""CloudEvents in the three modes of HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.gateway.serving import TIME, gateway
from tests.ingest.fakes import NOW, FakeEventStore

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "/shop",
    "type": "demo_request",
    "subject": "ada",
    "time": TIME,
    "data": {"seats": 3},
}


async def post(client: httpx.AsyncClient, body: object, kind: str = "cloudevents") -> httpx.Response:
    headers = {"content-type": f"application/{kind}+json; charset=utf-8"}
    return await client.request("POST", "/v1/cloudevents", json=body, headers=headers)


async def test_a_structured_event(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    answer = await post(client, EVENT)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "accepted": 1, "duplicate": 0})
    (event,) = store.events.values()
    assert (event.event_id, event.lead_id, event.event_type) == ("/shop/a-1", "ada", "demo_request")
    assert (event.source, event.properties) == ("/shop", {"seats": 3})


async def test_a_batch(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    answer = await post(client, [EVENT, {**EVENT, "id": "a-2", "leadid": "bob"}], "cloudevents-batch")
    assert answer.json()["accepted"] == 2
    assert [event.lead_id for event in store.events.values()] == ["ada", "bob"]


async def test_attributes_in_headers(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    headers = {f"ce-{name}": value for name, value in EVENT.items() if name != "data"} | {"ce-subject": "Ren%C3%A9"}
    answer = await client.post("/v1/cloudevents", json={"seats": 3}, headers=headers)
    assert answer.json()["accepted"] == 1
    (event,) = store.events.values()
    assert (event.lead_id, event.properties) == ("René", {"seats": 3})


async def test_attributes_in_headers_without_data(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    headers = {f"ce-{name}": value for name, value in EVENT.items() if name != "data"}
    assert (await client.post("/v1/cloudevents", headers=headers)).json()["accepted"] == 1
    assert next(iter(store.events.values())).properties == {}


async def test_a_sender_that_asks_first_may_send(client: httpx.AsyncClient) -> None:
    asked = {"webhook-request-origin": "eventemitter.example.com", "webhook-request-rate": "120"}
    answer = await client.options("/v1/cloudevents", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert answer.headers["webhook-allowed-rate"] == "120"
    others = await client.options("/v1/cloudevents")
    assert (others.status_code, others.headers["allow"]) == (200, "POST, OPTIONS")
    assert not [name for name in others.headers if name.startswith("webhook")]


async def test_an_event_without_a_time_gets_that_of_the_receipt(store: FakeEventStore) -> None:
    times = iter([NOW, NOW + timedelta(seconds=2)])
    async with gateway(store, clock=lambda: next(times)) as client:
        untimed = {name: value for name, value in EVENT.items() if name != "time"}
        assert (await post(client, untimed)).json()["accepted"] == 1
        assert (await post(client, untimed)).json()["duplicate"] == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"specversion": "0.3"}, "specversion: must be 1.0"),
        ({"id": ""}, "event_id: is empty (id, source)"),
        ({"subject": None}, "lead_id: is empty (leadid, subject)"),
        ({"type": None}, "event_type: is empty (type)"),
        ({"data": None, "data_base64": "AA=="}, "data_base64: must be data in JSON"),
        ({"data": [1]}, "properties: is not an object"),
        ({"time": "yesterday"}, "event_time: 'yesterday' is not a time"),
    ],
)
async def test_an_event_with_a_flaw(client: httpx.AsyncClient, fields: dict[str, Any], sentence: str) -> None:
    answer = await post(client, {**EVENT, **fields})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(sentence)


@pytest.mark.parametrize("content_type", ["application/json", "application/xml", "application/cloudevents+xml"])
async def test_another_content_type(client: httpx.AsyncClient, content_type: str) -> None:
    answer = await client.post("/v1/cloudevents", json=EVENT, headers={"content-type": content_type})
    assert answer.status_code == 415
    assert answer.json()["message"].startswith("the body must be application/cloudevents+json")
