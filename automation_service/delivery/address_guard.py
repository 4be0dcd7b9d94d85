"""Connections to hosts that callers name: resolved once, every address checked, and connected to what was checked.

Guarantee: no connection is opened to an address that `Networks` refuses, whatever the name server answers when: between
the check and the connection nothing is resolved again. The name stays what TLS asks for and what `Host` says.
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
"""Longest time to resolve a name, and to connect to one address."""
KEEP_SECONDS = 30.0
"""How long a connection is kept that nobody uses."""
MAX_POOLS = 256
"""Endpoints whose connections are kept."""
MAX_NAMES = 64
"""Names that are resolved at a time."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host, the preferred one first; raises OSError when it has none."""


class AddressRefused(httpcore.ConnectError):
    """A host has an address that is refused. The text says what kind, never which."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the host has an address that is refused: {kind}")


class SystemResolver:
    """Resolves as the operating system does.

    In threads of its own: a name server that does not answer holds a thread for as long as it pleases, and those of the
    event loop have other work.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_NAMES, "resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Returns the addresses of a host; see `Resolve`."""
        look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard(httpcore.AsyncNetworkBackend):
    """Opens connections to allowed addresses only."""

    def __init__(self, networks: Networks, resolve: Resolve) -> None:
        self._networks = networks
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def addresses(self, host: str, port: int) -> list[str]:
        """Returns the addresses of a host.

        Raises:
            AddressRefused: One of them is refused.
            OSError: It has none.
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
        """Connects to a host by the first of its addresses that answers."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                addresses = await self.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host's name has no address: {error}") from error
        failure: Exception = httpcore.ConnectError("the host's name has no address")
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
        """Refuses: nobody is to be reached in this way."""
        raise httpcore.ConnectError("no receiver has a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)


class _GuardedPool(httpx.AsyncHTTPTransport):
    """httpx's own transport over a pool whose connections a `Guard` opens."""

    def __init__(self, guard: Guard, connections: int, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self.last_use = 0.0
        # httpx offers no way to name a network backend, and httpcore no other place for one.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEP_SECONDS,
            network_backend=guard,
        )

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return all(connection.is_idle() for connection in self._pool.connections)


class GuardedTransport(httpx.AsyncBaseTransport):
    """A pool of guarded connections for each endpoint.

    One pool for all would look through all of its connections at every request, once for each of them.
    """

    def __init__(self, guard: Guard, *, per_endpoint: int, tls: ssl.SSLContext | None = None) -> None:
        self._open = partial(_GuardedPool, guard, per_endpoint, tls or httpx.create_ssl_context(trust_env=False))
        self._pools: dict[str, _GuardedPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request over the pool of its endpoint."""
        endpoint = f"{request.url.scheme}://{request.url.netloc.decode()}"
        pool = self._pools.pop(endpoint, None) or self._open()
        self._pools[endpoint] = pool  # the one used last is the last one
        pool.last_use = time.monotonic()
        while self._is_dispensable(self._pools[oldest := next(iter(self._pools))]):
            await self._pools.pop(oldest).aclose()
        return await pool.handle_async_request(request)

    def _is_dispensable(self, pool: _GuardedPool) -> bool:
        # A pool closes what is too old only when it is used; one that is not used any more would keep it for ever.
        is_old = time.monotonic() - pool.last_use > KEEP_SECONDS
        return (is_old or len(self._pools) > MAX_POOLS) and pool.is_idle

    async def aclose(self) -> None:
        """Closes all connections."""
        while self._pools:
            await self._pools.popitem()[1].aclose()
