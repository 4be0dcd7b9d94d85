"""A TCP proxy between the services and MongoDB or Redis that can lose replies and connections."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


@dataclass(eq=False, slots=True)
class _Link:
    """A connection of a client, and the one to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    reply_is_lost: bool = False

    def cut(self) -> None:
        for writer in (self.client, self.server):
            if not writer.is_closing():
                writer.transport.abort()


@dataclass(eq=False)
class Proxy:
    """Forwards everything to a port of 127.0.0.1, in its own thread, until it is asked to lose something."""

    target: int
    port: int = 0
    links: set[_Link] = field(default_factory=set)
    lost_replies: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _losing: tuple[bytes, ...] = ()
    _refuses: bool = False
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(ready)), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        if self._thread:
            self._thread.join()
        self._loop.close()

    def reset(self) -> None:
        """Resets every open connection."""
        self._loop.call_soon_threadsafe(self._cut_all)

    @contextlib.contextmanager
    def losing_replies(self, *commands: str) -> Iterator[None]:
        """While the block runs: forwards a request that contains one of these words, then resets its connection."""
        self._losing = tuple(command.encode() for command in commands)
        try:
            yield
        finally:
            self._losing = ()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Resets every connection, old or new, while the block runs."""
        self._refuses = True
        self.reset()
        try:
            yield
        finally:
            self._refuses = False

    async def _serve(self, ready: threading.Event) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        server.close()
        self._cut_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _cut_all(self) -> None:
        for link in self.links:
            link.cut()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._refuses:
                raise ConnectionRefusedError
            replies, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server)
        self.links.add(link)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._ask(link, reader), self._answer(link, replies))
        link.cut()
        self.links.discard(link)

    async def _ask(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                link.reply_is_lost |= any(word in data for word in self._losing)
                link.server.write(data)
                await link.server.drain()
        link.cut()

    async def _answer(self, link: _Link, replies: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await replies.read(CHUNK_BYTES):
                if link.reply_is_lost:
                    self.lost_replies += 1
                    break
                link.client.write(data)
                await link.client.drain()
        link.cut()
