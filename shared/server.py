"""A gRPC server as every service runs it.

Guarantee: health says SERVING only while the service can do its work; each RPC is bounded in time, leaves one log
line, and fails only in the ways that its proto names; at SIGTERM the server says NOT_SERVING, finishes what runs, and
ends.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from shared import logs
from shared.calls import deadline
from shared.errors import ErrorTable, InvalidArgument, status_of
from shared.settings import ServerSettings, StartupError

PROBE_SECONDS = 1.0
"""How often health is looked at anew, and the longest that a look may take."""
MESSAGE_BYTES = 1024 * 1024
"""Longest message that a server takes."""

# grpc's classes are generic for the type checker only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
FoundHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_LOG = logs.get(__name__)
_HEALTH = f"/{health.SERVICE_NAME}/"


@dataclass(frozen=True, slots=True)
class Service:
    """What a server serves: a proto service's full name, how to add its servicer, its errors, and its health."""

    name: str
    register: Callable[[grpc.aio.Server], None]
    errors: ErrorTable
    probe: Callable[[], Awaitable[bool]]


async def serve(service: Service, settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        StartupError: The port is taken.
    """
    server = grpc.aio.server(
        interceptors=[_Calls(service.errors, settings.call_seconds)],
        options=[
            ("grpc.so_reuseport", 0),  # a stale process must not share the port
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ],
    )
    service.register(server)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if settings.reflection:
        reflection.enable_server_reflection([service.name, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    address = f"{settings.host}:{settings.port}"
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
    await server.stop(settings.stop_seconds)
    _LOG.info("stopped")


async def _watch_health(servicer: health.aio.HealthServicer, service: Service) -> None:
    was = None
    while True:
        serving = False
        with contextlib.suppress(Exception):  # whatever goes wrong, the service cannot do its work
            async with asyncio.timeout(PROBE_SECONDS):
                serving = await service.probe()
        if serving != was:
            _LOG.info("health", serving=serving)
            await _set_health(servicer, service.name, serving=serving)
            was = serving
        await asyncio.sleep(PROBE_SECONDS)


async def _set_health(servicer: health.aio.HealthServicer, name: str, *, serving: bool) -> None:
    status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    for each in ("", name):
        await servicer.set(each, status)


class _Malformed:
    """Stands for a request that could not be parsed, until there is a context to say so."""


def _lenient(parse: Callable[[bytes], object] | None) -> Callable[[bytes], object]:
    # grpc itself answers INTERNAL when a request cannot be parsed, but the fault is the caller's.
    def parse_or_not(data: bytes) -> object:
        try:
            return parse(data) if parse else data
        except DecodeError:
            return _Malformed()

    return parse_or_not


def _well_formed(request: object) -> object:
    if isinstance(request, _Malformed):
        raise InvalidArgument("request", "is not a message of this method's type")
    return request


class _Calls(grpc.aio.ServerInterceptor):
    """Bounds, logs and translates every call but health checks."""

    def __init__(self, errors: ErrorTable, call_seconds: float) -> None:
        self._errors = errors
        self._call_seconds = call_seconds
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[FoundHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> FoundHandler:
        method = str(handler_call_details.method)
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None or method.startswith(_HEALTH) or handler.request_streaming:
                return handler
            self._handlers[method] = self._wrap(method, handler)
        return self._handlers[method]

    def _wrap(self, method: str, handler: Handler) -> Handler:
        codecs = (_lenient(handler.request_deserializer), handler.response_serializer)
        if handler.response_streaming:
            inner: Callable[[object, Context], AsyncIterator[object]] = handler.unary_stream  # type: ignore[assignment]

            async def stream(request: object, context: Context) -> AsyncIterator[object]:
                async with self._call(method, context):
                    async for response in inner(_well_formed(request), context):
                        yield response

            return grpc.unary_stream_rpc_method_handler(stream, *codecs)
        answer: Callable[[object, Context], Awaitable[object]] = handler.unary_unary  # type: ignore[assignment]

        async def unary(request: object, context: Context) -> object:
            async with self._call(method, context):
                left = context.time_remaining()
                with deadline(self._call_seconds if left is None else min(left, self._call_seconds)):
                    return await answer(_well_formed(request), context)

        return grpc.unary_unary_rpc_method_handler(unary, *codecs)

    @contextlib.asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncIterator[None]:
        start = time.perf_counter()
        code, fault = "OK", None
        try:
            yield
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001 (this is the one place where an exception becomes a status)
            status = status_of(error, self._errors)
            code = code_pb2.Code.Name(status.code)
            fault = error
            answer = rpc_status.to_status(status)
            await context.abort(answer.code, answer.details, answer.trailing_metadata)
        finally:
            milliseconds = round((time.perf_counter() - start) * 1000, 2)
            if code == "INTERNAL":
                _LOG.error("rpc", method=method, code=code, ms=milliseconds, exc_info=fault)
            elif fault is not None:
                _LOG.info("rpc", method=method, code=code, ms=milliseconds, error=str(fault))
            else:
                _LOG.info("rpc", method=method, code=code, ms=milliseconds)
