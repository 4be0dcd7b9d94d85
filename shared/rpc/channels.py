"""Channels to other services.

Guarantee: every call has a deadline, carries the API key of this process, and goes over TLS if the settings say so.
When the certificate files change, the next call opens a new channel; calls that are running finish on the old one.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from shared import logs
from shared.access.credentials import OwnKey
from shared.deadlines import DEFAULT_SECONDS, KEEPALIVE_SECONDS, PING_SECONDS, seconds_left
from shared.rpc import handshakes
from shared.rpc.tls import CertificateFiles, Certificates
from shared.settings import CallerSettings, TlsSettings
from shared.traces.calls import outgoing

EXPLAIN_SECONDS = 60.0
"""Shortest time between two log lines that say why the servers of a channel cannot be reached."""

_LOG = logs.get(__name__)
_OPTIONS = [
    # 500 leads with many attributes exceed the 4 MiB default of grpc, and a retry would exceed it again.
    ("grpc.max_receive_message_length", -1),
    # The default back-off of grpc grows to two minutes, far too long after a service is up again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Where a name has several addresses, such as those of the pods of a service, calls go to all of them in turn.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.keepalive_time_ms", round(KEEPALIVE_SECONDS * 1000)),
    ("grpc.http2.ping_timeout_ms", round(PING_SECONDS * 1000)),
]


def connect(target: str, settings: CallerSettings, *, own_key: bool = True) -> grpc.aio.Channel:
    """Opens a channel to another service. Open, use and close it in one event loop.

    Without `own_key`, calls carry only the key that the caller puts into their metadata.

    Raises:
        StartupError: The file of the key or of a certificate cannot be used.
    """
    interceptors = [_Prepared(OwnKey(settings) if own_key else None, _Failures(target, settings))]
    if not settings.calls_over_tls:
        return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=interceptors)
    name = settings.tls_server_name
    options = [*_OPTIONS, *([("grpc.ssl_target_name_override", name)] if name else [])]

    def open_channel(certificates: Certificates) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(target, certificates.of_a_caller(), options, interceptors=interceptors)

    return _Renewed(open_channel, CertificateFiles(settings))  # type: ignore[return-value]  # it has what stubs call


class _Renewed:
    """A channel that is opened again when certificates change, because grpc cannot replace those of an open one."""

    def __init__(self, open_channel: Callable[[Certificates], grpc.aio.Channel], files: CertificateFiles) -> None:
        self._open = open_channel
        self._files = files
        self._certificates = files.current()
        self._channel = open_channel(self._certificates)
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *description: Any, **options: Any) -> Any:  # noqa: ANN401 (as stubs call it)
        """Returns a method that answers once; see `grpc.aio.Channel`."""
        return self._method(lambda channel: channel.unary_unary(*description, **options))

    def unary_stream(self, *description: Any, **options: Any) -> Any:  # noqa: ANN401 (as stubs call it)
        """Returns a method that answers with a stream; see `grpc.aio.Channel`."""
        return self._method(lambda channel: channel.unary_stream(*description, **options))

    async def close(self, grace: float | None = None) -> None:
        """Closes the channel; running calls fail after `grace` seconds."""
        for each in self._closing:
            each.cancel()
        await self._channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _method(self, describe: Callable[[grpc.aio.Channel], Callable[..., Any]]) -> Callable[..., Any]:
        channel, method = self._channel, describe(self._channel)

        def call(*request: Any, **options: Any) -> Any:  # noqa: ANN401 (as grpc has it)
            nonlocal channel, method
            newest = self._newest()
            if newest is not channel:
                channel, method = newest, describe(newest)
            return method(*request, **options)

        return call

    def _newest(self) -> grpc.aio.Channel:
        certificates = self._files.current()
        if certificates is not self._certificates:
            closing = asyncio.create_task(self._channel.close(DEFAULT_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._certificates, self._channel = certificates, self._open(certificates)
        return self._channel


class _Prepared(grpc.aio.UnaryUnaryClientInterceptor):
    """Sets the deadline of every call without one, makes no call once it has passed, and adds the key and the trace."""

    def __init__(self, key: OwnKey | None, failures: "_Failures") -> None:
        self._key = key
        self._failures = failures

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 (grpc's own signature)
        timeout, metadata = client_call_details.timeout, client_call_details.metadata
        if timeout is None:
            timeout = seconds_left()
            if not timeout:
                raise _deadline_exceeded()  # given no time, gRPC lets most calls through
        added = (*(self._key.metadata() if self._key else ()), *outgoing())
        prepared = grpc.aio.ClientCallDetails(
            client_call_details.method,
            timeout,
            grpc.aio.Metadata(*(metadata or ()), *added) if added else metadata,
            client_call_details.credentials,
            client_call_details.wait_for_ready,
        )
        call = await continuation(prepared, request)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._failures.explain()
        return call


class _Failures:
    """Logs why connections of a channel fail because of TLS, once a minute at most."""

    def __init__(self, target: str, settings: TlsSettings) -> None:
        self._target = target
        self._settings = settings
        self._next = 0.0

    def explain(self) -> None:
        """Looks for the reason in a thread; call it when the server was unavailable."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EXPLAIN_SECONDS
            asyncio.get_running_loop().run_in_executor(None, self._log)

    def _log(self) -> None:
        settings, context = self._settings, None
        with contextlib.suppress(OSError):  # files that cannot be used have been logged
            if settings.calls_over_tls:
                context = handshakes.context_of(settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file)
            reason = handshakes.flaw(self._target, context, settings.tls_server_name)
            if reason:
                _LOG.warning("service cannot be called", target=self._target, reason=reason)


def _deadline_exceeded() -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, nothing, nothing, "the deadline has passed")
