"""The spans of gRPC calls, at the server and at the caller."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from shared.traces import spans
from shared.traces.current import TRACEPARENT
from shared.traces.spans import ERROR, Attributes

if TYPE_CHECKING:
    import grpc
    from opentelemetry.trace import Span

    from shared.traces.tracer import Tracer

    Context = grpc.aio.ServicerContext[Any, Any]

HEADERS = ("traceparent", "tracestate")
_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
"""The codes that are faults of a server and not of its caller, as the semantic conventions have it."""


def unary(method: str, answer: Callable[[bytes, Any], Awaitable[object]]) -> Callable[[bytes, Any], Awaitable[object]]:
    """Returns a method that answers once, with a span for each call; unchanged if this process sends no traces."""
    tracer, name = spans.tracer(), method.removeprefix("/")
    if tracer is None:
        return answer

    async def traced(data: bytes, context: "Context") -> object:
        span = _begin(tracer, name, context)
        try:
            response = await answer(data, context)
        except BaseException as error:
            _end(tracer, span, name, _code(error, context))
            raise
        _end(tracer, span, name, "OK")
        return response

    return traced


def stream(
    method: str, answer: Callable[[bytes, Any], AsyncIterator[object]]
) -> Callable[[bytes, Any], AsyncIterator[object]]:
    """Returns a method that answers with a stream, in the same way."""
    tracer, name = spans.tracer(), method.removeprefix("/")
    if tracer is None:
        return answer

    async def traced(data: bytes, context: "Context") -> AsyncIterator[object]:
        span = _begin(tracer, name, context)
        try:
            async for response in answer(data, context):
                yield response
        except BaseException as error:
            _end(tracer, span, name, _code(error, context))
            raise
        _end(tracer, span, name, "OK")

    return traced


def outgoing() -> tuple[tuple[str, str], ...]:
    """Returns the metadata that continues the current trace in another service; none if there is no trace."""
    found = TRACEPARENT.get()
    return (("traceparent", found),) if found else ()


def _begin(tracer: "Tracer", name: str, context: "Context") -> "Span | None":
    metadata = context.invocation_metadata() or ()
    headers = {key: value for key, value in metadata if key in HEADERS and isinstance(value, str)}
    span, traceparent = tracer.serve(name, headers)
    TRACEPARENT.set(traceparent)  # each call has a task of its own, so nobody needs the one before
    return span


def _end(tracer: "Tracer", span: "Span | None", name: str, code: str) -> None:
    if span is not None:
        about: Attributes = {"rpc.system.name": "grpc", "rpc.method": name, "rpc.response.status_code": code}
        tracer.finish(span, about | {ERROR: code} if code in _FAULTS else about)


def _code(error: BaseException, context: "Context") -> str:
    """Returns the code of a call that failed; it has been set by then, unless the caller has left."""
    code = context.code() if isinstance(error, Exception) else None
    return code.name if code else "CANCELLED"
