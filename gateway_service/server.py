"""Serves an ASGI application over HTTP until SIGTERM, by uvicorn; over TLS if there is a certificate.

Guarantee: a request that has arrived when the process is told to stop is answered within `stop_seconds`. New
connections use the newest certificate files, as those of other servers do.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from shared import logs
from shared.metrics.page import serving_metrics
from shared.rpc.tls import CertificateFiles
from shared.settings import ServerSettings, StartupError
from shared.traces.export import exporting_traces
from shared.watchdog import Heartbeat, watching

MAX_CONNECTIONS = 1_000
"""Concurrent connections; uvicorn answers further requests with 503."""
MAX_HEAD_BYTES = 64 * 1024
"""Largest request line and headers."""
IDLE_SECONDS = 75
"""How long a connection may be idle: longer than the pools of the usual proxies and SDKs keep one."""
BACKLOG = 1_024

_LOG = logs.get(__name__)


async def serve(app: ASGIApp, settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        StartupError: The port is taken.
    """
    with contextlib.closing(_listen(settings)) as listener:
        server = _Server(_config(app, settings))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        with serving_metrics(settings), exporting_traces("leadscore.gateway"), watching(Heartbeat()):
            _LOG.info("serving", address=f"{settings.host}:{settings.port}")
            await server.serve(sockets=[listener])
    _LOG.info("stopped")


class _Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn would end the process by the signal, and not with status 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures nothing."""
        yield

    def stop(self) -> None:
        """Stops the server when all requests are answered."""
        self.should_exit = True


def _config(app: ASGIApp, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        ssl_context_factory=(lambda *_: _Contexts(settings).first()) if settings.serves_tls else None,
    )


class _Contexts:
    """The TLS of a server: a handshake looks whether the certificate files have changed."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._files = CertificateFiles(settings)
        self._used = self._files.current()
        self._newest = self._context()

    def first(self) -> ssl.SSLContext:
        """Returns the context to listen with, which replaces itself at each handshake."""
        context = self._context()
        context.sni_callback = self._renew  # also called for a client that names no server
        return context

    def _renew(self, connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        found = self._files.current()
        if found is not self._used:
            # The files may have changed again since they were checked; the next handshake then looks again.
            with contextlib.suppress(OSError):
                self._newest, self._used = self._context(), found
        connection.context = self._newest

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._settings.tls_cert_file, self._settings.tls_key_file)
        if self._settings.tls_clients == "required":
            context.load_verify_locations(self._settings.tls_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _listen(settings: ServerSettings) -> socket.socket:
    host, port = settings.host, settings.port
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    try:
        return socket.create_server(address[:2], family=family, backlog=BACKLOG, reuse_port=settings.processes > 1)
    except OSError:
        advice = "stop the process that uses it, or choose another LEADSCORE_PORT"
        raise StartupError(f"{host}:{port} is in use: {advice}") from None
