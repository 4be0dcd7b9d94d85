"""A gRPC server as every service runs it.

Guarantee: health is SERVING only while the service can do its work, and answers under any load. Each RPC is only for
callers with its role (health and reflection are for everybody), is bounded in time, is logged (see
`shared.rpc.call_log`; refused ones share a line), and fails only with the errors that its proto lists. At SIGTERM the
server reports NOT_SERVING, finishes running calls, and exits.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from shared import logs
from shared.access.enforcement import OPEN, Access
from shared.access.errors import Unauthenticated
from shared.deadlines import KEEPALIVE_SECONDS, PING_SECONDS, deadline
from shared.metrics import calls
from shared.metrics.page import serving_metrics
from shared.rpc.admission import Admission, Streams, StreamTable, nothing_refused
from shared.rpc.call_log import CallLog
from shared.rpc.errors import ErrorTable, InvalidArgument, retry_seconds_of, status_of
from shared.rpc.health import Health, listen
from shared.rpc.tls import server_credentials
from shared.settings import ServerSettings
from shared.tasks import running
from shared.watchdog import Heartbeat, watching

UNHEALTHY_PROBES = 2
"""Failed probes in a row that make a server unhealthy; one slow database answer under load is not an outage."""
LEAVE_SECONDS = 0.2
"""Before it stops, a server holds new calls for this long, and then answers UNAVAILABLE. gRPC answers CANCELLED to
calls that a stopped server has not looked at, and few callers retry that."""
CLOSE_SECONDS = 0.05
"""Delay between the beginning of the stop and the answers to held calls; by then no further call can arrive."""
FAILED_STOP_SECONDS = 2.0
"""Longest time to finish calls when a part of the server has failed."""
GRACE_SECONDS = 0.25
"""Time after its deadline in which a call should end on its own, before it is cancelled."""
CALLER_PING_SECONDS = 30.0
"""The shortest interval at which callers may ping. gRPC's default of five minutes would disconnect callers that ping
once a minute, as is usual."""
MESSAGE_BYTES = 1024 * 1024
"""Largest message that a server accepts."""

# grpc's classes are generic for the type checker only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Parse: TypeAlias = "Callable[[bytes], Any] | None"

_LOG = logs.get(__name__)


def nothing_to_end() -> None:
    """Ends nothing: every call ends on its own."""


def unchanged(request: Message) -> None:
    """Leaves a request as it is."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a server serves: a proto service's full name, how to add its servicer, its errors, its health, who may call.

    `gate` raises an error while all calls must be refused. `leave` is called when the server stops, and makes calls
    that would not end on their own fail with `Stopping`. `streams` maps each streaming method to its kind. `prepare`
    may change a request before it is handled.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]
    errors: ErrorTable
    probe: Callable[[], Awaitable[bool]]
    access: Access
    gate: Callable[[], None] = nothing_refused
    leave: Callable[[], None] = nothing_to_end
    streams: StreamTable = field(default_factory=dict)
    prepare: Callable[[Message], None] = unchanged


async def serve(service: Service, settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT. When it is cancelled, it stops sooner.

    Raises:
        StartupError: The port is taken, or a certificate file cannot be used.
        BackgroundTaskEnded: A part of the server has failed.
    """
    credentials = server_credentials(settings)
    server = _new_server(settings)
    admission = Admission(settings.call_slots, settings.queue_seconds, service.gate)
    streams = Streams(service.streams, settings.stream_slots, settings.queue_seconds)
    log = CallLog()
    service.register(
        guarded(
            server,
            service.errors,
            admission,
            settings.call_seconds,
            streams,
            log,
            prepare=service.prepare,
            access=service.access,
        )
    )
    servicer = Health(["", service.name], service.probe, max_failures=UNHEALTHY_PROBES)
    servicer.register(server)
    if settings.reflection:
        reflection.enable_server_reflection([service.name, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    await servicer.report(serving=False)
    address = listen(server, settings.host, settings.port, "LEADSCORE_PORT", credentials)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    with serving_metrics(settings), watching(Heartbeat()):
        try:
            async with running(servicer.watch()):
                _LOG.info("serving", address=address)
                await stop.wait()
        finally:
            await servicer.enter_graceful_shutdown()
            closing = [each.close() for each in (admission, streams.admission)]
            await asyncio.sleep(LEAVE_SECONDS)
            for close in (*(each.set for each in closing), servicer.leave, service.leave):
                asyncio.get_running_loop().call_later(CLOSE_SECONDS, close)
            await server.stop(settings.stop_seconds if stop.is_set() else FAILED_STOP_SECONDS)
            log.report()
    _LOG.info("stopped")


def _new_server(settings: ServerSettings) -> grpc.aio.Server:
    return grpc.aio.server(
        options=[
            # A stale process must not share the port; see `shared.processes`.
            ("grpc.so_reuseport", int(settings.processes > 1)),
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", round(KEEPALIVE_SECONDS * 1000)),
            ("grpc.http2.ping_timeout_ms", round(PING_SECONDS * 1000)),
            ("grpc.http2.min_ping_interval_without_data_ms", round(CALLER_PING_SECONDS * 1000)),
        ],
    )


def guarded(
    server: grpc.aio.Server,
    errors: ErrorTable,
    admission: Admission,
    call_seconds: float,
    streams: Streams | None = None,
    log: CallLog | None = None,
    *,
    prepare: Callable[[Message], None] = unchanged,
    access: Access = OPEN,
) -> grpc.aio.Server:
    """Returns what to add a servicer to, instead of the server, to have its calls checked, bounded and translated."""
    streams, log = streams or Streams(), log or CallLog()
    return _Calls(server, errors, admission, call_seconds, streams, log, prepare, access)  # type: ignore[return-value]  # it has what registration calls


class _Calls:
    """Admits, bounds, logs and translates every call of one service.

    It takes the place of the server at registration and wraps what is registered there. An interceptor would do the
    same at a third of the whole cost of a small call.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        errors: ErrorTable,
        admission: Admission,
        call_seconds: float,
        streams: Streams,
        log: CallLog,
        prepare: Callable[[Message], None],
        access: Access,
    ) -> None:
        self._server = server
        self._errors = errors
        self._admission = admission
        self._call_seconds = call_seconds
        self._streams = streams
        self._log = log
        self._prepare = prepare
        self._access = access

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Registers the handlers of a service, wrapped, by the names of their methods."""
        wrapped = {name: self._wrap(f"/{service}/{name}", handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, wrapped),))

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Does nothing: generated code registers the same handlers in both ways."""

    def _wrap(self, method: str, handler: Handler) -> Handler:
        parse, serializer = handler.request_deserializer, handler.response_serializer
        # Requests are parsed here and not by grpc, which would parse what is refused then, and would answer INTERNAL to
        # what cannot be parsed.
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, parse, handler.unary_stream), None, serializer
            )
        return grpc.unary_unary_rpc_method_handler(self._unary(method, parse, handler.unary_unary), None, serializer)

    def _stream(self, method: str, parse: Parse, inner: Any) -> Any:  # noqa: ANN401 (as grpc has it)
        """Wraps a method that answers with a stream. Streams may be long, so they use no slots of unary calls."""
        name, answered = method.rsplit("/", 1)[-1], calls.answered(method)
        inner = self._access.stream(name, inner)

        async def stream(data: bytes, context: Context) -> AsyncIterator[object]:
            start = time.perf_counter()
            try:
                caller = self._access.admit(name, context)
                async with self._streams.slot(name, context.time_remaining()):
                    async for response in inner(self._request(parse, data), context):
                        self._access.check(caller)
                        yield response
            except BaseException as error:
                await self._fail(method, time.perf_counter() - start, error, context, len(data))
                raise
            seconds = time.perf_counter() - start
            answered(seconds)
            self._log.write(method, "OK", seconds)

        return stream

    def _unary(self, method: str, parse: Parse, inner: Any) -> Any:  # noqa: ANN401 (as grpc has it)
        """Wraps a method that answers once."""
        name, answered = method.rsplit("/", 1)[-1], calls.answered(method)
        inner = self._access.unary(name, inner)

        async def unary(data: bytes, context: Context) -> object:
            start = time.perf_counter()
            left = context.time_remaining()
            seconds = self._call_seconds if left is None else min(left, self._call_seconds)
            try:
                self._access.admit(name, context)
                # What is bounded by the deadline ends by itself; whatever else a call may wait for is cut off after it.
                async with asyncio.timeout(seconds + GRACE_SECONDS):
                    with deadline(seconds):
                        async with self._admission.slot(len(data), seconds):
                            response: object = await inner(self._request(parse, data), context)
            except BaseException as error:
                await self._fail(method, time.perf_counter() - start, error, context, len(data))
                raise
            took = time.perf_counter() - start
            answered(took)
            self._log.answered(method, took)
            return response

        return unary

    def _request(self, parse: Parse, data: bytes) -> object:
        if parse is None:
            return data
        try:
            request = parse(data)
        except DecodeError:
            raise InvalidArgument("request", "is not a message of this method's type") from None
        self._prepare(request)
        return request

    async def _fail(self, method: str, seconds: float, fault: BaseException, context: Context, size: int) -> None:
        """Records a call that failed, and gives the caller its status."""
        if not isinstance(fault, Exception):
            # The caller has left or the server is stopping; there is no one to answer.
            calls.failed(method, "CANCELLED", seconds)
            self._log.write(method, "CANCELLED", seconds)
            return
        if isinstance(fault, Unauthenticated):
            await self._access.hold(size, context.time_remaining())
        status = status_of(fault, self._errors)
        code, pushback = code_pb2.Code.Name(status.code), retry_seconds_of(fault)
        calls.failed(method, code, seconds)
        if code == "INTERNAL":
            self._log.write_fault(method, code, seconds, fault)
        elif not _is_counted(fault, pushback):
            self._log.write(method, code, seconds, error=logs.cut(str(fault)))
        answer = rpc_status.to_status(status)
        metadata = answer.trailing_metadata
        if pushback is not None:
            # What gRPC's own retries go by; they do not read the status.
            metadata = (*metadata, ("grpc-retry-pushback-ms", str(round(pushback * 1000))))
        await context.abort(answer.code, answer.details, metadata)


def _is_counted(fault: Exception, pushback: float | None) -> bool:
    """Returns whether a fault shares a log line with others: calls that we refuse ourselves can be very many."""
    is_refusal = isinstance(fault, Unauthenticated) or pushback is not None
    return is_refusal and not isinstance(fault, grpc.aio.AioRpcError)
