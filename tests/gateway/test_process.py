"""The gateway as a process: its start and stop, TLS, and requests that no client library sends."""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from gateway_service.settings import GatewaySettings
from shared import wire
from shared.settings import StartupError, load
from testkit.certificates import Authority
from testkit.processes import Process
from testkit.waiting import eventually
from tests.gateway.process import gateway_process
from tests.gateway.test_segment import message
from tests.ingest.fakes import FakeEventStore, HeldEventStore
from tests.ingest.requests import ingest_port

BODY = json.dumps(message(timestamp=None)).encode()
HEAD = b"POST /v1/track HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.fixture
async def url(tmp_path: Path, store: FakeEventStore) -> AsyncIterator[str]:
    async with (
        ingest_port(store, now=wire.now()) as port,
        gateway_process(tmp_path, f"127.0.0.1:{port}", {"LEADSCORE_BODY_SECONDS": "0.3"}) as opened,
    ):
        yield opened


async def raw(url: str, *parts: bytes) -> bytes:
    """Sends bytes, and returns what is answered until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    except (ConnectionResetError, BrokenPipeError):  # the gateway need not read all of it
        return b""
    finally:
        writer.close()


async def test_odd_requests(url: str, store: FakeEventStore) -> None:
    length = b"content-length: %d\r\n" % len(BODY)
    smuggled = HEAD + length + b"content-length: 3\r\nconnection: close\r\n\r\n" + BODY
    assert (await raw(url, smuggled)).startswith(b"HTTP/1.1 400 ")
    many = HEAD + b"".join(b"x-%d: y\r\n" % number for number in range(100_000))
    assert (await raw(url, many)).startswith(b"HTTP/1.1 4") or not store.events
    slow = await raw(url, HEAD + length + b"connection: close\r\n\r\n", BODY[:10])
    assert slow.startswith(b"HTTP/1.1 408 ")
    assert (await raw(url, b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03 no http\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    both = HEAD + length + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + HEAD + length + b"\r\n" + BODY
    answered = await raw(url, both)
    assert b"the request has two lengths" in answered
    assert answered.count(b"HTTP/1.1") == 1, "what follows is not read"
    assert not store.events
    good = await raw(url, HEAD + length + b"connection: close\r\n\r\n" + BODY)
    assert good.startswith(b"HTTP/1.1 200 "), "the gateway still serves"
    assert list(store.events) == ["m1"]


async def test_a_request_is_answered_before_the_process_stops(tmp_path: Path) -> None:
    store = HeldEventStore()
    async with ingest_port(store, now=wire.now()) as port, httpx.AsyncClient(timeout=60) as client:
        async with gateway_process(tmp_path, f"127.0.0.1:{port}") as url:
            request = asyncio.create_task(client.post(f"{url}/v1/track", content=BODY))
            await store.begun.wait()
            asyncio.get_running_loop().call_later(0.3, store.go.set)
        assert (await request).status_code == 200
    assert list(store.events) == ["m1"]


async def test_health_follows_the_ingest_service(tmp_path: Path) -> None:
    async with gateway_process(tmp_path, "127.0.0.1:1") as url, httpx.AsyncClient(timeout=60) as client:
        health = await client.get(f"{url}/health")
        assert (health.status_code, health.json()) == (503, {"status": "NOT_SERVING"})
        refused = await client.post(f"{url}/v1/track", content=BODY)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


def replace(files: Mapping[str, str], newer: Mapping[str, str]) -> None:
    """Replaces files by newer ones, at once, as an issuer of certificates does."""
    for name, path in newer.items():
        Path(path).replace(files[name])


async def test_tls_with_a_certificate_that_is_replaced(tmp_path: Path, store: FakeEventStore) -> None:
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    own = first.issue("gateway")
    async with ingest_port(store, now=wire.now()) as port, gateway_process(tmp_path, f"127.0.0.1:{port}", own) as url:

        async def accepts(authority: Authority) -> bool:
            context = ssl.create_default_context(cafile=str(authority.file))
            async with httpx.AsyncClient(verify=context, timeout=60) as client:
                try:
                    return (await client.post(f"{url}/v1/track", content=BODY)).status_code == 200
                except httpx.ConnectError:
                    return False

        assert await accepts(first)
        replace(own, second.issue("gateway"))
        await eventually(lambda: accepts(second), what="the new certificate is shown")
        assert not await accepts(first)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {**os.environ, "LEADSCORE_PORT": str(port)}
        process = Process("gateway_service", ["serve"], environment, tmp_path / "gateway.log")
        assert process.wait(60) == 1
    text = (tmp_path / "gateway.log").read_text()
    assert f"127.0.0.1:{port} is in use: stop the process that uses it, or choose another LEADSCORE_PORT" in text


def test_an_address_beyond_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOST", "0.0.0.0")  # noqa: S104 (it is refused)
    with pytest.raises(StartupError, match="LEADSCORE_INSECURE"):
        load(GatewaySettings)
