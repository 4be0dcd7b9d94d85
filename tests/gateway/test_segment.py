"""Segment's HTTP API: what its messages become, and what is answered."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway_service.metrics import REQUESTS
from ingest_service.domain.event import Event
from tests.gateway.serving import TIME, gateway
from tests.ingest.fakes import NOW, FakeEventStore

MESSAGE: dict[str, Any] = {
    "messageId": "m1",
    "type": "track",
    "event": "Signed Up",
    "userId": "ada",
    "timestamp": TIME,
    "properties": {"plan": "pro", "seats": 3},
}


def message(**fields: Any) -> dict[str, Any]:
    return {**MESSAGE, **fields}


def only(store: FakeEventStore) -> Event:
    (event,) = store.events.values()
    return event


async def send(client: httpx.AsyncClient, *messages: object, **fields: Any) -> httpx.Response:
    body = json.dumps({"batch": messages, **fields}, separators=(",", ":"))
    return await client.post("/v1/batch", content=body, headers={"content-type": "application/json"})


async def test_a_batch_becomes_events(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    page = message(messageId="m2", type="page", event=None, anonymousId="x", userId=None, name="Pricing")
    answer = await send(client, MESSAGE, page)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "accepted": 2, "duplicate": 0})
    first, second = store.events.values()
    assert first.event_id == "m1"
    assert first.lead_id == "ada"
    assert first.event_type == "signup"
    assert first.event_time == NOW.replace(minute=59, hour=11, microsecond=0)
    assert first.properties == {"plan": "pro", "seats": 3}
    assert first.source == "segment"
    assert (second.lead_id, second.event_type, second.properties["name"]) == ("x", "page_view", "Pricing")


@pytest.mark.parametrize(
    ("path", "fields", "event_type", "properties"),
    [
        ("track", {"event": "Demo Requested", "properties": {"a": 1}}, "demo_request", {"a": 1}),
        ("identify", {"traits": {"email": "ada@kiosk.example"}}, "identify", {"email": "ada@kiosk.example"}),
        ("page", {"name": "Home", "properties": {"url": "/"}}, "page_view", {"name": "Home", "url": "/"}),
        ("screen", {"name": "Home"}, "screen_view", {"name": "Home"}),
        ("group", {"groupId": "acme", "traits": {"size": 5}}, "group", {"groupId": "acme", "size": 5}),
        ("alias", {"previousId": "anonymous-7"}, "alias", {"previousId": "anonymous-7"}),
    ],
)
async def test_each_type_has_a_path(
    client: httpx.AsyncClient,
    store: FakeEventStore,
    path: str,
    fields: dict[str, Any],
    event_type: str,
    properties: dict[str, Any],
) -> None:
    answer = await client.post(f"/v1/{path}", json={"messageId": "m1", "userId": "ada", "timestamp": TIME, **fields})
    assert answer.status_code == 200, answer.text
    assert (only(store).event_type, only(store).properties) == (event_type, properties)


async def test_requests_are_measured_by_route_and_status(client: httpx.AsyncClient) -> None:
    def measured() -> list[float]:
        return [REQUESTS.labels("/v1/batch", status)._sum.get() for status in (200, 400)]

    before = measured()
    await send(client, MESSAGE)
    await client.post("/v1/batch", content="[", headers={"content-type": "application/json"})
    assert all(now > then for now, then in zip(measured(), before, strict=True))


async def test_a_message_that_is_sent_again_is_a_duplicate(client: httpx.AsyncClient) -> None:
    await send(client, MESSAGE, sentAt=TIME)
    answer = await send(client, MESSAGE, sentAt="2026-03-01T11:59:30Z")
    assert answer.json() == {"success": True, "accepted": 0, "duplicate": 1}


async def test_the_clock_of_the_sender_is_corrected(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    ahead = {"timestamp": "2026-03-02T11:59:00Z"}
    await send(client, message(**ahead), sentAt="2026-03-02T12:00:00.123Z")
    assert only(store).event_time == NOW - timedelta(seconds=60, milliseconds=123)


async def test_a_message_without_a_time_gets_that_of_the_receipt(store: FakeEventStore) -> None:
    times = iter([NOW, NOW + timedelta(seconds=2)])
    async with gateway(store, clock=lambda: next(times)) as client:
        untimed = message(timestamp=None)
        first = await send(client, untimed, sentAt="1999-01-01T00:00:00Z")
        again = await send(client, untimed, sentAt="1999-01-01T00:00:02Z")
    assert only(store).event_time == NOW
    assert first.json() == {"success": True, "accepted": 1, "duplicate": 0}
    assert again.json() == {"success": True, "accepted": 0, "duplicate": 1}, "only the time that we gave differs"


async def test_a_message_without_an_id_is_recognised_when_it_is_sent_again(
    client: httpx.AsyncClient, store: FakeEventStore
) -> None:
    body = {"event": "Signed Up", "userId": "ada", "timestamp": TIME}
    await client.post("/v1/track", json={**body, "sentAt": TIME})
    await client.post("/v1/track", json={**body, "sentAt": "2026-03-01T11:59:10Z"})
    await client.post("/v1/track", json={**body, "userId": "bob"})
    assert [event.lead_id for event in store.events.values()] == ["ada", "bob"]


async def test_messages_without_an_id_and_a_time_are_all_new(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    for _ in range(2):
        await client.post("/v1/track", json={"event": "Signed Up", "userId": "ada"})
    assert len(store.events) == 2


@pytest.mark.parametrize(
    ("flawed", "sentence"),
    [
        ("text", "is not an object"),
        (message(type="charge"), "type: must be one of track, identify, page, screen, group, alias"),
        (message(event=""), "event: is missing"),
        (message(userId=None), "lead_id: is empty (anonymousId, userId)"),
        (message(userId=["ada"]), "lead_id: is not text"),
        (message(timestamp="soon"), "event_time: 'soon' is not a time"),
        (
            message(timestamp="2027-01-01T00:00:00Z"),
            "event_time: 2027-01-01T00:00:00+00:00 is more than 5 min",
        ),
        (
            message(timestamp="2026-03-01 11:59"),
            "event_time: '2026-03-01 11:59:00' has no time zone: name one, such as zone: Europe/Berlin",
        ),
        (message(properties="x"), "properties: is not JSON"),
        (message(userId="\ud800"), "is not UTF-8"),
        (message(messageId="x" * 300), "event_id: has 300 characters"),
    ],
)
async def test_the_others_are_stored_beside_a_message_with_a_flaw(
    client: httpx.AsyncClient, store: FakeEventStore, flawed: object, sentence: str
) -> None:
    answer = await send(client, flawed, message(messageId="m2"))
    assert answer.status_code == 400, "SDKs do not send it again"
    body = answer.json()
    assert body["code"] == 3
    assert body["message"].startswith(f"batch[0]: {sentence}")
    info, request = body["details"]
    assert info["metadata"] == {"accepted": "1", "duplicate": "0", "rejected": "1"}
    assert request["fieldViolations"][0]["field"] == "batch[0]"
    assert list(store.events) == ["m2"]


async def test_a_conflict_is_named(client: httpx.AsyncClient) -> None:
    await send(client, MESSAGE)
    answer = await send(client, message(userId="bob"), message(event="Other"))
    assert answer.status_code == 400
    assert answer.json()["details"][0]["reason"] == "EVENT_ID_CONFLICT"
    assert answer.json()["message"].startswith(
        "2 messages were refused, the first because of batch[0]: event_id: differs in lead_id"
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "the body is not an object"),
        ({}, "batch: is missing"),
        ({"batch": {}}, "batch: is not a list"),
        ({"batch": []}, "batch: has 0 items, must have 1 to 2,500"),
        ({"batch": [0] * 2501}, "batch: has 2,501 items, must have 1 to 2,500"),
    ],
)
async def test_a_batch_that_is_none(client: httpx.AsyncClient, body: object, sentence: str) -> None:
    answer = await client.post("/v1/batch", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, sentence)


async def test_a_batch_may_be_larger_than_a_call(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    messages = [message(messageId=f"m{number}") for number in range(2_500)]
    answer = await send(client, *messages)
    assert answer.json()["accepted"] == 2_500
    assert max(map(len, store.puts)) <= 1_000


async def test_numbers_that_grow_in_protobuf_fit_into_a_call(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    # Each number takes two bytes in JSON, and about a dozen in protobuf.
    wide = [message(messageId=f"m{number}", properties={"numbers": [1] * 8_000}) for number in range(50)]
    assert (await send(client, *wide)).json()["accepted"] == 50
    assert len(store.puts) > 1


async def test_a_message_with_too_many_values_is_refused(client: httpx.AsyncClient) -> None:
    answer = await send(client, message(properties={"numbers": [[1] * 100] * 200}), message(messageId="m2"))
    assert answer.json()["message"] == "batch[0]: has more than 16,384 values"
    assert answer.json()["details"][0]["metadata"]["accepted"] == "1"
