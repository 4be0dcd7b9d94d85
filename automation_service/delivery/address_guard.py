"""Connections to hosts that callers name. A name is resolved once, and the connection uses a checked address.

Guarantee: no connection is opened to an address that `Networks` refuses, even if the name server changes its answer,
because nothing is resolved between the check and the connection. TLS and the `Host` header still use the name.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpcore
import httpx

from automation_service.domain.address import Networks

CONNECT_SECONDS = 5.0
"""Longest time to resolve a name, and to connect to one address, in seconds."""
KEEP_SECONDS = 30.0
"""How long an idle connection is kept, in seconds."""
MAX_POOLS = 256
"""Endpoints whose connections are kept open."""
MAX_NAMES = 64
"""Names that are resolved concurrently."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host, preferred first. Raises OSError if it has none."""


class AddressRefused(httpcore.ConnectError):
    """A host has a forbidden address. The message names the kind of address, never the address."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the host has a forbidden address: {kind}")


class SystemResolver:
    """Resolves names with the operating system.

    It has its own threads, because a name server that does not answer can block a thread for a long time.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_NAMES, "resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Returns the addresses of a host; see `Resolve`."""
        look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard(httpcore.AsyncNetworkBackend):
    """A network backend that connects only to allowed addresses."""

    def __init__(self, networks: Networks, resolve: Resolve) -> None:
        self._networks = networks
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def addresses(self, host: str, port: int) -> list[str]:
        """Returns the addresses of a host.

        Raises:
            AddressRefused: An address is forbidden.
            OSError: The host has no address.
        """
        found = await self._resolve(host, port)
        for address in found:
            kind = self._networks.refusal(address)
            if kind is not None:
                raise AddressRefused(kind)
        return found

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's own signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address of a host that accepts the connection."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                addresses = await self.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host has no address: {error}") from error
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's own signature)
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuses every Unix socket."""
        raise httpcore.ConnectError("a receiver cannot be a Unix socket")

    async def sleep(self, seconds: float) -> None:
        """Sleeps, as httpcore requires of a backend."""
        await asyncio.sleep(seconds)


class _GuardedPool(httpx.AsyncHTTPTransport):
    """The transport of httpx, with a pool whose connections are opened by a `Guard`."""

    def __init__(self, guard: Guard, connections: int, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self.last_use = 0.0
        # httpx has no public way to set the network backend of its pool.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEP_SECONDS,
            network_backend=guard,
        )

    @property
    def is_idle(self) -> bool:
        """Whether no request is in flight."""
        return all(connection.is_idle() for connection in self._pool.connections)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Keeps one pool of guarded connections per endpoint.

    A single pool would search all of its connections at every request.
    """

    def __init__(self, guard: Guard, *, per_endpoint: int, tls: ssl.SSLContext | None = None) -> None:
        self._open = partial(_GuardedPool, guard, per_endpoint, tls or httpx.create_ssl_context(trust_env=False))
        self._pools: dict[str, _GuardedPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request through the pool of its endpoint."""
        endpoint = f"{request.url.scheme}://{request.url.netloc.decode()}"
        pool = self._pools.pop(endpoint, None) or self._open()
        self._pools[endpoint] = pool  # keeps the pools ordered by last use
        pool.last_use = time.monotonic()
        while self._is_dispensable(self._pools[oldest := next(iter(self._pools))]):
            await self._pools.pop(oldest).aclose()
        return await pool.handle_async_request(request)

    def _is_dispensable(self, pool: _GuardedPool) -> bool:
        # A pool closes idle connections only when it is used, so an unused pool would keep them forever.
        is_old = time.monotonic() - pool.last_use > KEEP_SECONDS
        return (is_old or len(self._pools) > MAX_POOLS) and pool.is_idle

    async def aclose(self) -> None:
        """Closes all connections."""
        while self._pools:
            await self._pools.popitem()[1].aclose()
