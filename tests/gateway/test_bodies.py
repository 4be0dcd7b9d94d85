"""Bodies: what is read of them, and what is refused before anything is sent."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway_service import app
from tests.gateway.serving import gateway
from tests.gateway.test_segment import MESSAGE
from tests.ingest.fakes import FakeEventStore

MIB = 1024 * 1024
BATCH = json.dumps({"batch": [MESSAGE]}).encode()


async def post(client: httpx.AsyncClient, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/batch", content=content, headers={"content-type": "application/json"} | named)


async def test_gzip(client: httpx.AsyncClient, store: FakeEventStore) -> None:
    assert (await post(client, gzip.compress(BATCH), content_encoding="gzip")).status_code == 200
    assert list(store.events) == ["m1"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (BATCH, "the body is not gzip"),
        (gzip.compress(BATCH)[:-4], "the body is not one complete gzip stream"),
        (gzip.compress(BATCH) * 2, "the body is not one complete gzip stream"),
    ],
)
async def test_damaged_gzip(client: httpx.AsyncClient, content: bytes, sentence: str) -> None:
    answer = await post(client, content, content_encoding="gzip")
    assert (answer.status_code, answer.json()["message"]) == (400, sentence)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_body_that_is_too_large(client: httpx.AsyncClient, store: FakeEventStore, encoding: str) -> None:
    content = b" " * MIB + BATCH
    packed = gzip.compress(content) if encoding == "gzip" else content
    answer = await post(client, packed, content_encoding=encoding)
    assert answer.status_code == 413
    assert answer.json()["message"] == "the body has more than 1 MiB, packed or unpacked: send smaller batches"
    assert not store.events


async def test_a_body_of_unknown_length_that_is_too_large(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1000

    assert (await post(client, endless())).status_code == 413


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the body is not JSON: Expecting value at character 1"),
        (b"{", "the body is not JSON: Expecting property name"),
        (b"\xff", "the body is not UTF-8"),
        (b"[" * 100_000, "the body is nested too deeply"),
        (b'{"batch": NaN}', "the body has NaN, which is not a number in JSON"),
        (b'{"batch": 1e999}', "the body has a number that is too large"),
        (b'{"batch": ' + b"9" * 5000 + b"}", "the body has a number that is too long"),
        (b'{"batch": [], "batch": []}', "the body has the key 'batch' twice in an object"),
        (b"<batch/>", "the body is not JSON"),
    ],
)
async def test_a_body_that_is_not_json(client: httpx.AsyncClient, content: bytes, sentence: str) -> None:
    answer = await post(client, content)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(sentence)


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-8", "application/x+json", ""])
async def test_content_types_of_json(client: httpx.AsyncClient, kind: str) -> None:
    assert (await post(client, BATCH, content_type=kind)).status_code == 200


@pytest.mark.parametrize("kind", ["application/xml", "multipart/form-data", "text/html"])
async def test_other_content_types(client: httpx.AsyncClient, kind: str) -> None:
    answer = await post(client, BATCH, content_type=kind)
    assert (answer.status_code, answer.json()["message"]) == (
        415,
        f"the content type is '{kind}', must be application/json",
    )


async def test_other_encodings(client: httpx.AsyncClient) -> None:
    answer = await post(client, BATCH, content_encoding="br")
    assert (answer.status_code, answer.json()["message"]) == (415, "the content encoding is 'br', must be gzip or none")


async def test_a_body_that_does_not_arrive(store: FakeEventStore) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    never = asyncio.Event()
    async with gateway(store, body_seconds=0.05) as client:
        answer = await post(client, stuck())
    assert (answer.status_code, answer.json()["message"]) == (408, "the body did not arrive within 0.05 s")
    assert answer.headers["retry-after"] == "1"


async def test_all_bodies_together_are_bounded(store: FakeEventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_TOTAL_BYTES", 2 * MIB - 1)
    begun, end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield BATCH
        begun.set()
        await end.wait()

    async def send_packed(client: httpx.AsyncClient) -> httpx.Response:
        return await post(client, gzip.compress(BATCH), content_encoding="gzip")

    async with gateway(store) as client:
        assert [(await send_packed(client)).status_code for _ in range(5)] == [200] * 5
        first = asyncio.create_task(post(client, slow()))
        await begun.wait()
        refused = await send_packed(client)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        end.set()
        assert (await first).status_code == (await send_packed(client)).status_code == 200


async def test_bodies_of_webhooks_take_no_memory_from_others(store: FakeEventStore) -> None:
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        begun.release()
        await end.wait()

    async with gateway(store) as client:
        unsigned = [asyncio.create_task(client.post("/v1/webhooks/crm", content=slow())) for _ in range(64)]
        for _ in range(8):
            await begun.acquire()
        assert (await post(client, gzip.compress(BATCH), content_encoding="gzip")).status_code == 200
        end.set()
        assert {(await each).status_code for each in unsigned} == {404, 503}, "some were not read at all"


async def test_paths_and_methods(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/batch")).status_code == 405
    assert (await client.get("/v1/batch")).json()["message"] == "must be POST"
    missing = await client.post("/v1/import", json={})
    assert (missing.status_code, missing.json()["message"]) == (404, "there is nothing at this path")
    health = await client.get("/health")
    assert (health.status_code, health.json()) == (200, {"status": "SERVING"})
