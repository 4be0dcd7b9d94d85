"""A gRPC server as every service runs it.

Guarantee: health says SERVING only while the service can do its work, and says so however many calls come; each RPC is
bounded in time, leaves one log line (those that are refused share one), and fails only in the ways that its proto
names; at SIGTERM the server says NOT_SERVING, finishes what runs, and ends.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from shared import logs
from shared.admission import Admission, nothing_refused
from shared.calls import KEEPALIVE_SECONDS, PING_SECONDS, deadline
from shared.errors import ErrorTable, InvalidArgument, retry_seconds_of, status_of
from shared.settings import ServerSettings, StartupError
from shared.tasks import is_cancelled

PROBE_SECONDS = 1.0
"""How often health is looked at anew, and the longest that a look may take."""
ILL_PROBES = 2
"""A server is ill when so many looks in a row say so: one slow answer of a database under load is no outage."""
LEAVE_SECONDS = 0.2
"""Before it stops, a server holds all new calls for this long, and then tells them that it is away. Of calls that it
has not looked at when it stops, gRPC says that they were cancelled, which few callers retry."""
TELL_SECONDS = 0.05
"""How long after it has begun to stop: by then no further call can come."""
GRACE_SECONDS = 0.25
"""How long what has reached its deadline may take to say so."""
CALLER_PING_SECONDS = 30.0
"""Callers may try their connections, too, but not more often: grpc's own five minutes would end the connection of those
that do it once a minute, as is usual."""
MESSAGE_BYTES = 1024 * 1024
"""Longest message that a server takes."""

# grpc's classes are generic for the type checker only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

Parse: TypeAlias = "Callable[[bytes], Any] | None"

_LOG = logs.get(__name__)


def nothing_to_end() -> None:
    """Ends nothing: every call ends by itself."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a server serves: a proto service's full name, how to add its servicer, its errors, and its health.

    `gate` raises what calls are to be refused with for the time being, whatever they ask for. `leave` is called once
    the server stops, and lets those calls fail with `Stopping` that would not end by themselves.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]
    errors: ErrorTable
    probe: Callable[[], Awaitable[bool]]
    gate: Callable[[], None] = nothing_refused
    leave: Callable[[], None] = nothing_to_end


async def serve(service: Service, settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        StartupError: The port is taken.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),  # a stale process must not share the port
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", round(KEEPALIVE_SECONDS * 1000)),
            ("grpc.http2.ping_timeout_ms", round(PING_SECONDS * 1000)),
            ("grpc.http2.min_ping_interval_without_data_ms", round(CALLER_PING_SECONDS * 1000)),
        ],
    )
    admission = Admission(settings.call_places, settings.queue_seconds, service.gate)
    service.register(guarded(server, service.errors, admission, settings.call_seconds))
    servicer = _Health()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if settings.reflection:
        reflection.enable_server_reflection([service.name, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    address = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    await _set_health(servicer, service.name, serving=False)
    try:
        server.add_insecure_port(address)
    except RuntimeError:
        raise StartupError(f"{address} is taken: stop what listens there, or choose another LEADSCORE_PORT") from None
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    watching = asyncio.create_task(_watch_health(servicer, service))
    _LOG.info("serving", address=address)
    await stop.wait()
    watching.cancel()
    await servicer.enter_graceful_shutdown()
    callers = admission.close()
    await asyncio.sleep(LEAVE_SECONDS)
    for tell in (callers.set, servicer.leave, service.leave):
        asyncio.get_running_loop().call_later(TELL_SECONDS, tell)
    await server.stop(settings.stop_seconds)
    _LOG.info("stopped")


def guarded(server: grpc.aio.Server, errors: ErrorTable, admission: Admission, call_seconds: float) -> grpc.aio.Server:
    """Returns what to add a servicer to, instead of the server, to have its calls admitted, bounded and translated."""
    return _Calls(server, errors, admission, call_seconds)  # type: ignore[return-value]  # it has what registration calls


class _Health(health.aio.HealthServicer):
    """Health, whose watchers would not end by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Timeout] = set()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802 (its name)
        """See `health.proto`."""
        watch = asyncio.timeout(None)
        self._watches.add(watch)
        try:
            async with watch:
                await super().Watch(request, context)
        except TimeoutError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops")
        finally:
            self._watches.discard(watch)

    def leave(self) -> None:
        """Ends every watch."""
        for watch in self._watches:
            watch.reschedule(0)


async def _watch_health(servicer: health.aio.HealthServicer, service: Service) -> None:
    was, failed = None, ILL_PROBES
    while not is_cancelled():
        holds = False
        with contextlib.suppress(Exception):  # whatever goes wrong, the service cannot do its work
            async with asyncio.timeout(PROBE_SECONDS):
                holds = await service.probe()
        failed = 0 if holds else failed + 1
        serving = failed < ILL_PROBES
        if serving != was:
            _LOG.info("health", serving=serving)
            await _set_health(servicer, service.name, serving=serving)
            was = serving
        await asyncio.sleep(PROBE_SECONDS)


async def _set_health(servicer: health.aio.HealthServicer, name: str, *, serving: bool) -> None:
    status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    for each in ("", name):
        await servicer.set(each, status)


def _parsed(parse: Parse, data: bytes) -> object:
    try:
        return parse(data) if parse else data
    except DecodeError:
        raise InvalidArgument("request", "is not a message of this method's type") from None


class _Calls:
    """Admits, bounds, logs and translates every call of one service.

    It takes the place of the server at registration and wraps what is registered there. An interceptor would do the
    same at a third of the whole cost of a small call.
    """

    def __init__(self, server: grpc.aio.Server, errors: ErrorTable, admission: Admission, call_seconds: float) -> None:
        self._server = server
        self._errors = errors
        self._admission = admission
        self._call_seconds = call_seconds

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
        """Wraps a method that answers with a stream. Streams may be long, so they take no places from other calls."""

        async def stream(data: bytes, context: Context) -> AsyncIterator[object]:
            start, fault = time.perf_counter(), None
            try:
                await self._admission.check()
                async for response in inner(_parsed(parse, data), context):
                    yield response
            except BaseException as error:
                fault = error
                raise
            finally:
                await self._end(method, start, fault, context)

        return stream

    def _unary(self, method: str, parse: Parse, inner: Any) -> Any:  # noqa: ANN401 (as grpc has it)
        """Wraps a method that answers once."""

        async def unary(data: bytes, context: Context) -> object:
            start, fault = time.perf_counter(), None
            left = context.time_remaining()
            seconds = self._call_seconds if left is None else min(left, self._call_seconds)
            try:
                # What is bounded by the deadline ends by itself; whatever else a call may wait for is cut off after it.
                async with asyncio.timeout(seconds + GRACE_SECONDS):
                    with deadline(seconds):
                        async with self._admission.place(len(data), seconds):
                            return await inner(_parsed(parse, data), context)
            except BaseException as error:
                fault = error
                raise
            finally:
                await self._end(method, start, fault, context)

        return unary

    async def _end(self, method: str, start: float, fault: BaseException | None, context: Context) -> None:
        """Writes the call's one log line and, if it failed, gives the caller its status."""
        milliseconds = round((time.perf_counter() - start) * 1000, 2)
        if fault is None:
            _LOG.info("rpc", method=method, code="OK", ms=milliseconds)
            return
        if not isinstance(fault, Exception):
            # The caller went away or the server stops; nobody is left to answer.
            _LOG.info("rpc", method=method, code="CANCELLED", ms=milliseconds)
            return
        status = status_of(fault, self._errors)
        code, pushback = code_pb2.Code.Name(status.code), retry_seconds_of(fault)
        if code == "INTERNAL":
            _LOG.error("rpc", method=method, code=code, ms=milliseconds, exc_info=fault)
        elif pushback is None or isinstance(fault, grpc.aio.AioRpcError):  # what we refuse ourselves is counted
            _LOG.info("rpc", method=method, code=code, ms=milliseconds, error=logs.cut(str(fault)))
        answer = rpc_status.to_status(status)
        metadata = answer.trailing_metadata
        if pushback is not None:
            # What gRPC's own retries go by; they do not read the status.
            metadata = (*metadata, ("grpc-retry-pushback-ms", str(round(pushback * 1000))))
        await context.abort(answer.code, answer.details, metadata)
