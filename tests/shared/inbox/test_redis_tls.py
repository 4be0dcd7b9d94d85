"""Doorbells over TLS, by the URL of Redis. Our own Redis has no TLS, so a terminator stands before it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.inbox import broker as brokers
from testkit.certificates import Authority


@contextlib.asynccontextmanager
async def terminator(redis_url: str, pair: dict[str, str]) -> AsyncIterator[str]:
    """Accepts TLS and passes on what it gets to a Redis in plain text; yields the authority of its URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair["LEADSCORE_TLS_CERT_FILE"], pair["LEADSCORE_TLS_KEY_FILE"])
    behind: dict[str, Any] = redis.Redis.from_url(redis_url).get_connection_kwargs()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "path" in behind:
            inside, outside = await asyncio.open_unix_connection(behind["path"])
        else:
            inside, outside = await asyncio.open_connection(behind["host"], behind["port"])
        with contextlib.suppress(OSError):
            await asyncio.gather(_pass_on(reader, outside), _pass_on(inside, writer))

    serving = set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        password = f":{behind['password']}@" if behind.get("password") else ""
        yield f"{password}127.0.0.1:{port}"
        if serving:
            await asyncio.wait(serving)  # until the clients have closed their connections


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def test_a_url_with_rediss_goes_over_tls(redis_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with terminator(redis_url, authority.issue("redis")) as address:
        broker = brokers.connect(f"rediss://{address}/0?ssl_ca_certs={authority.file}")
        try:
            assert await asyncio.to_thread(broker.client.ping)
            broker.declare_queue("letters")
            consumer = broker.consume("letters", timeout=50)
            assert await asyncio.to_thread(next, consumer) is None, "expected an empty queue"
            consumer.close()
            consumer._client.connection_pool.disconnect()  # type: ignore[attr-defined]
        finally:
            broker.client.connection_pool.disconnect()


async def test_a_redis_with_another_certificate_is_not_used(redis_url: str, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    async with terminator(redis_url, Authority(tmp_path).issue("redis")) as address:
        broker = brokers.connect(f"rediss://{address}/0?ssl_ca_certs={stranger.file}")
        with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            await asyncio.to_thread(broker.client.ping)
