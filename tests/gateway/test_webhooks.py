"""Webhooks: only what is signed becomes events, and only once."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.gateway.serving import gateway
from tests.ingest.fakes import FakeEventStore

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 (the example of the specification)
OLD_SECRET = "whsec_" + base64.b64encode(b"an older secret of the same").decode()
APP_SECRET = "5a3c9f0e-the-secret-of-an-app"  # noqa: S105 (it is none)
URL = "https://score.example/v1/webhooks/hubspot?team=a%2Cb"
NOW = datetime.now(UTC).replace(microsecond=0)
"""The library of Standard Webhooks reads the real clock."""
BODY: dict[str, Any] = {"type": "signup", "person": "ada", "at": NOW.isoformat(), "data": {"plan": "pro"}}
CRM = """
title: Our CRM
lead_id: person
event_id: webhook-id
event_type: type
event_time: at
properties: {objects: data}
"""
HUBSPOT = """
title: HubSpot
lead_id: "hubspot-{objectId}"
event_id: "hubspot-{portalId}-{eventId}"
event_time: occurredAt
source: {constant: hubspot}
events:
- when: {subscriptionType: contact.creation}
  event_type: {constant: contact_created}
- when: {subscriptionType: contact.propertyChange, propertyName: lifecyclestage}
  event_type: {constant: stage_changed}
  properties:
    fields: {stage: propertyValue}
"""
FILE = """
webhooks:
  crm:
    signature: standard-webhooks
    secret: {file: crm.secret}
    mapping: crm.yaml
  hubspot:
    signature: hubspot-v3
    secret: {environment: OUR_HUBSPOT_SECRET}
    url: URL
    mapping: hubspot.yaml
"""


@pytest.fixture
async def client(
    tmp_path: Path, store: FakeEventStore, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "crm.yaml").write_text(CRM)
    (tmp_path / "hubspot.yaml").write_text(HUBSPOT)
    (tmp_path / "crm.secret").write_text(f"{OLD_SECRET}\n{SECRET}\n")
    (tmp_path / "webhooks.yaml").write_text(FILE.replace("URL", URL))
    monkeypatch.setenv("OUR_HUBSPOT_SECRET", APP_SECRET)
    webhooks = str(tmp_path / "webhooks.yaml")
    async with gateway(store, clock=lambda: NOW, now=NOW, webhooks_file=webhooks) as opened:
        yield opened


def standard(
    body: bytes,
    *,
    secret: str = SECRET,
    id: str = "msg_1",  # noqa: A002
    age: timedelta = timedelta(),
) -> dict[str, str]:
    time = datetime.now(UTC) - age  # the library reads the clock itself
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": "v1,AAAA " + Webhook(secret).sign(id, time, body.decode()),
    }


def hubspot(body: bytes, *, secret: str = APP_SECRET, url: str = URL, time: datetime = NOW) -> dict[str, str]:
    milliseconds = str(int(time.timestamp() * 1000))
    signed = b"POST" + url.replace("%2C", ",").encode() + body + milliseconds.encode()
    signature = hmac.digest(secret.encode(), signed, hashlib.sha256)
    return {
        "x-hubspot-signature-v3": base64.b64encode(signature).decode(),
        "x-hubspot-request-timestamp": milliseconds,
    }


async def post(client: httpx.AsyncClient, name: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/webhooks/{name}", content=body, headers=headers)


async def test_a_webhook_becomes_an_event_once(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    body = json.dumps(BODY).encode()
    for accepted, duplicate in ((1, 0), (0, 1)):
        answer = await post(client, "crm", body, standard(body))
        assert answer.json() == {"success": True, "accepted": accepted, "duplicate": duplicate}
    (event,) = store.events.values()
    assert (event.event_id, event.lead_id, event.event_type) == ("msg_1", "ada", "signup")
    assert (event.event_time, event.properties) == (NOW, {"plan": "pro"})


async def test_each_secret_is_valid(client: httpx.AsyncClient) -> None:
    body = json.dumps(BODY).encode()
    assert (await post(client, "crm", body, standard(body, secret=OLD_SECRET))).status_code == 200


async def test_hubspot(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    occurred = int(NOW.timestamp() * 1000)
    created = {"subscriptionType": "contact.creation", "eventId": 1}
    changed = {"subscriptionType": "contact.propertyChange", "eventId": 2, "propertyName": "lifecyclestage"}
    unmapped = {"subscriptionType": "company.creation", "eventId": 3}
    items = [
        {**each, "objectId": 7, "portalId": 9, "occurredAt": occurred, "propertyValue": "customer"}
        for each in (created, changed, unmapped)
    ]
    body = json.dumps(items).encode()
    answer = await post(client, "hubspot", body, hubspot(body))
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "accepted": 2, "duplicate": 0, "ignored": 1},
    ), "what the mapping has no event for is none of our business, and need not be sent again"
    assert [(each.event_id, each.event_type, each.properties) for each in store.events.values()] == [
        ("hubspot-9-1", "contact_created", {}),
        ("hubspot-9-2", "stage_changed", {"stage": "customer"}),
    ]


def forged(body: bytes) -> list[dict[str, str]]:
    """Returns headers that do not prove anything, for the webhook `crm`."""
    good = standard(body)
    return [
        {},
        {**good, "webhook-id": "msg_2"},
        {**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)},
        {**good, "webhook-timestamp": "nan"},
        {**good, "webhook-signature": "v1,AAAA"},
        {**good, "webhook-signature": "v1"},
        {**good, "webhook-signature": "v1,%"},
        standard(body, secret="whsec_" + base64.b64encode(b"of somebody else").decode()),
        standard(body, age=timedelta(minutes=6)),
        standard(body, age=-timedelta(minutes=6)),
        hubspot(body),
    ]


@pytest.mark.parametrize("index", range(len(forged(b"{}"))))
async def test_what_is_not_signed(client: httpx.AsyncClient, store: FakeEventStore, index: int) -> None:
    body = json.dumps(BODY).encode()
    answer = await post(client, "crm", body, forged(body)[index])
    assert answer.status_code == 401
    assert answer.json()["message"] == "the signature is missing, wrong or too old"
    assert not store.events


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "another"},
        {"url": "https://score.example/v1/webhooks/other"},
        {"time": NOW - timedelta(minutes=5, seconds=1)},
        {"time": NOW + timedelta(minutes=5, seconds=1)},
    ],
)
async def test_what_hubspot_has_not_signed(
    client: httpx.AsyncClient, store: FakeEventStore, change: dict[str, Any]
) -> None:
    answer = await post(client, "hubspot", b"[]", hubspot(b"[]", **change))
    assert answer.status_code == 401
    assert not store.events


@pytest.mark.parametrize("time", ["", "-1", "1e12", "²", "9" * 400])
async def test_a_time_that_is_none(client: httpx.AsyncClient, time: str) -> None:
    headers = {**hubspot(b"[]"), "x-hubspot-request-timestamp": time}
    answer = await client.post(
        "/v1/webhooks/hubspot",
        content=b"[]",
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
    )
    assert answer.status_code == 401


async def test_a_changed_body(client: httpx.AsyncClient) -> None:
    body = json.dumps(BODY).encode()
    assert (await post(client, "crm", body + b" ", standard(body))).status_code == 401


async def test_a_body_that_is_not_utf_8(client: httpx.AsyncClient) -> None:
    assert (await post(client, "crm", b"\xff", standard(b"{}"))).status_code == 401


async def test_a_signed_body_with_a_flaw(client: httpx.AsyncClient) -> None:
    body = json.dumps({**BODY, "person": None}).encode()
    answer = await post(client, "crm", body, standard(body))
    assert (answer.status_code, answer.json()["message"]) == (400, "lead_id: is empty (person)")


async def test_the_headers_win_over_fields_of_their_names(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    body = json.dumps({**BODY, "webhook-id": "forged"}).encode()
    await post(client, "crm", body, standard(body))
    assert list(store.events) == ["msg_1"]


async def test_gzip_is_refused(client: httpx.AsyncClient) -> None:
    answer = await post(client, "crm", b"{}", {**standard(b"{}"), "content-encoding": "gzip"})
    assert answer.status_code == 415


async def test_an_unknown_webhook(client: httpx.AsyncClient) -> None:
    answer = await post(client, "shop", b"{}", {})
    assert (answer.status_code, answer.json()["message"]) == (404, "there is no webhook of this name")
