"""Keys and roles: the ingest service decides, and the gateway says what it decided."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from ingest_service.access import METHODS
from shared.access.authentication import Authentication
from shared.access.enforcement import Access
from shared.access.roles import Role
from tests.gateway.serving import gateway
from tests.gateway.test_segment import MESSAGE
from tests.ingest.fakes import FakeEventStore
from tests.shared.access.rings import EXPIRED, made, ring_of

KEYS = {
    "ingest": made(Role.INGEST),
    "read": made(Role.READ),
    "expired": made(Role.INGEST, expires_at=EXPIRED),
    "service": made(Role.SERVICE),
}


@pytest.fixture
async def client(store: FakeEventStore) -> AsyncIterator[httpx.AsyncClient]:
    ring = await ring_of(*(document for _, document in KEYS.values()))
    async with gateway(store, access=Access(METHODS, Authentication(ring))) as opened:
        yield opened


async def track(client: httpx.AsyncClient, key: str) -> httpx.Response:
    """Sends a message with a key as an SDK does."""
    user = base64.b64encode(f"{key}:".encode()).decode()
    return await client.post("/v1/track", json=MESSAGE, headers={"authorization": f"Basic {user}"})


async def test_a_key_with_the_role(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    assert (await track(client, KEYS["ingest"][0])).status_code == 200
    assert list(store.events) == ["m1"]


@pytest.mark.parametrize(
    "key",
    ["lsk_unknown", KEYS["ingest"][0][:-1], KEYS["expired"][0], ""],
    ids=["unknown", "truncated", "expired", "empty"],
)
async def test_no_valid_key(client: httpx.AsyncClient, store: FakeEventStore, key: str) -> None:
    answers = [await track(client, key), await client.post("/v1/track", json=MESSAGE)]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.json()["message"] == "the API key is missing, unknown, expired or revoked"
        assert answer.json()["details"][0]["reason"] == "CALLER_UNKNOWN"
        assert "retry-after" not in answer.headers
    assert not store.events


@pytest.mark.parametrize("key", ["read", "service"])
async def test_a_key_without_the_role(client: httpx.AsyncClient, store: FakeEventStore, key: str) -> None:
    answer = await track(client, KEYS[key][0])
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "BatchIngestEvents needs a caller with the role ingest",
    )
    assert not store.events


async def test_requests_with_wrong_keys_do_not_delay_those_with_a_right_one(store: FakeEventStore) -> None:
    ring = await ring_of(KEYS["ingest"][1])
    access = Access(METHODS, Authentication(ring))
    async with gateway(store, access=access, authentication=True, call_slots=8, queue_seconds=0.05) as client:
        assert (await track(client, KEYS["ingest"][0])).status_code == 200
        wrong = [asyncio.create_task(track(client, f"lsk_wrong_{number}")) for number in range(50)]
        await asyncio.sleep(0)  # they begin
        for _ in range(20):
            assert (await track(client, KEYS["ingest"][0])).status_code == 200
        answers = [(await each).status_code for each in wrong]
    assert set(answers) == {401, 503}, "held by the ingest service, or not admitted"
