"""A real HTTP receiver of webhooks: records requests, verifies signatures, and responds as configured."""

import asyncio
import contextlib
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from standardwebhooks import Webhook

Writer = asyncio.StreamWriter
Behaviour = Callable[["Request", Writer], Awaitable[None]]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 (the example of the Standard Webhooks specification)
"""The secret that signs the webhooks of tests."""


@dataclass(frozen=True, slots=True)
class Request:
    """A received request; `time` is Unix time in seconds."""

    path: str
    headers: dict[str, str]
    body: bytes
    time: float


def answering(status: int, body: bytes = b"ok", *, seconds: float = 0.0, **headers: str) -> Behaviour:
    """Returns a behaviour that waits `seconds` and responds with a status, a body and headers."""

    async def behave(request: Request, writer: Writer) -> None:
        await asyncio.sleep(seconds)
        lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return behave


@dataclass
class Receiver:
    """A running receiver; its behaviour can be changed at any time, for all paths or for one."""

    port: int = 0
    scheme: str = "http"
    behaviour: Behaviour = field(default_factory=lambda: answering(200))
    by_path: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)
    max_in_flight: Counter[str] = field(default_factory=Counter)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Returns a URL of the receiver."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def bodies(self) -> dict[str, set[bytes]]:
        """Returns the received bodies by webhook-id."""
        found: dict[str, set[bytes]] = defaultdict(set)
        for request in self.requests:
            found[request.headers["webhook-id"]].add(request.body)
        return found

    def verify(self, *secrets: str) -> None:
        """Verifies the signatures of all requests against each secret, with the reference implementation."""
        for request in self.requests:
            for secret in secrets:
                Webhook(secret).verify(request.body, request.headers)

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """Serves one connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        # asyncio's streams report a cancelled task as an error.
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                headers |= dict(line.split(": ", 1) for line in head[1:] if line.startswith("webhook-"))
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(head[0].split()[1], headers, body, time.time())
                self.requests.append(request)
                self.in_flight[request.path] += 1
                self.max_in_flight[request.path] = max(self.max_in_flight[request.path], self.in_flight[request.path])
                try:
                    await self.by_path.get(request.path, self.behaviour)(request, writer)
                finally:
                    self.in_flight[request.path] -= 1
        writer.close()
        self.tasks.discard(task)


@contextlib.asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Receiver]:
    """Runs a receiver on 127.0.0.1 while the block runs."""
    receiver = Receiver(scheme="https" if tls else "http")
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in receiver.tasks:
            task.cancel()
        await asyncio.gather(*receiver.tasks)
