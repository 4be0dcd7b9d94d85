"""A small gRPC service whose methods run code of the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from shared.rpc.admission import StreamKind, StreamTable
from shared.rpc.errors import ARGUMENTS, ErrorRow, ErrorTable
from shared.rpc.handlers import Context

NAME = "test.TeapotService"
POUR, STREAM, WATCH = f"/{NAME}/Pour", f"/{NAME}/Stream", f"/{NAME}/Watch"
STREAMS: StreamTable = {"Stream": StreamKind.HEAVY, "Watch": StreamKind.WATCH}


class Empty(Exception):
    """There is no tea."""


ERRORS: ErrorTable = {**ARGUMENTS, Empty: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "TEAPOT_EMPTY")}


class Teapot:
    """`Pour` returns `pour` of the request; `Stream` and `Watch` return `pour` of each word of it."""

    def __init__(self, pour: Callable[[str], Awaitable[str]]) -> None:
        self._pour = pour

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the methods to a server, as generated code does."""
        codecs = (StringValue.FromString, StringValue.SerializeToString)
        handlers = {
            "Pour": grpc.unary_unary_rpc_method_handler(self._one, *codecs),
            "Stream": grpc.unary_stream_rpc_method_handler(self._many, *codecs),
            "Watch": grpc.unary_stream_rpc_method_handler(self._many, *codecs),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
        server.add_registered_method_handlers(NAME, handlers)

    async def _one(self, request: StringValue, context: Context) -> StringValue:
        return StringValue(value=await self._pour(request.value))

    async def _many(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        for word in request.value.split():
            yield StringValue(value=await self._pour(word))


class Kitchen:
    """A `pour` that echoes the request, raises an error, or waits until the test frees it."""

    def __init__(self, error: BaseException | None = None, *, waits: bool = False) -> None:
        self.busy = asyncio.Event()
        self.free = asyncio.Event()
        self._error = error
        self._waits = waits

    async def pour(self, tea: str) -> str:
        """Echoes the tea. In a stream of several words, only the word `fail` raises the error."""
        self.busy.set()
        if self._waits:
            await self.free.wait()
        if self._error is not None and tea in ("tea", "fail"):
            raise self._error
        return tea


async def pour(channel: grpc.aio.Channel, tea: str = "tea", *, timeout: float | None = None) -> str:  # noqa: ASYNC109 (grpc's own word)
    """Calls `Pour`."""
    method = channel.unary_unary(POUR, StringValue.SerializeToString, StringValue.FromString)
    answer: StringValue = await method(StringValue(value=tea), timeout=timeout)
    return answer.value


async def stream(channel: grpc.aio.Channel, tea: str, *, name: str = STREAM) -> list[str]:
    """Calls `Stream`, or `Watch`, and returns its answers."""
    method = channel.unary_stream(name, StringValue.SerializeToString, StringValue.FromString)
    return [answer.value async for answer in method(StringValue(value=tea))]
