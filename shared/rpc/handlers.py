"""The handlers of a service's methods, as `shared.rpc.server` runs them.

Guarantee: a call is admitted for its caller's role, bounded in time, logged and traced. It fails only with an error of
the service's table, or with INTERNAL and a fixed sentence.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2
from grpc_status import rpc_status

from shared import logs
from shared.access.enforcement import OPEN, Access
from shared.access.errors import Unauthenticated
from shared.deadlines import deadline
from shared.metrics import calls
from shared.rpc.admission import Admission, Streams
from shared.rpc.call_log import CallLog
from shared.rpc.errors import ErrorTable, InvalidArgument, retry_seconds_of, status_of
from shared.rpc.service import unchanged
from shared.traces import calls as spans

GRACE_SECONDS = 0.25
"""Time after its deadline in which a call should end on its own, before it is cancelled."""

# grpc's classes are generic for the type checker only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Parse: TypeAlias = "Callable[[bytes], Any] | None"


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
            stream = spans.stream(method, self._stream(method, parse, handler.unary_stream))
            return grpc.unary_stream_rpc_method_handler(stream, None, serializer)
        unary = spans.unary(method, self._unary(method, parse, handler.unary_unary))
        return grpc.unary_unary_rpc_method_handler(unary, None, serializer)

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
