"""Runs a servicer behind a real gRPC server, with the error mapping of the services."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shared.access.enforcement import OPEN, Access
from shared.rpc.admission import Admission, nothing_refused
from shared.rpc.channels import connect
from shared.rpc.errors import ErrorTable
from shared.rpc.handlers import guarded
from shared.rpc.service import unchanged
from shared.settings import CallerSettings, load

CALL_SECONDS = 60.0
"""Longer than any call in a test."""


@contextlib.asynccontextmanager
async def served(
    errors: ErrorTable,
    *register: Callable[[grpc.aio.Server], object],
    gate: Callable[[], None] = nothing_refused,
    prepare: Callable[[Message], None] = unchanged,
    access: Access = OPEN,
) -> AsyncIterator[grpc.aio.Channel]:
    """Serves on a free port and yields a channel to it."""
    async with (
        listening(errors, *register, gate=gate, prepare=prepare, access=access) as port,
        connect(f"127.0.0.1:{port}", load(CallerSettings)) as channel,
    ):
        yield channel


@contextlib.asynccontextmanager
async def listening(
    errors: ErrorTable,
    *register: Callable[[grpc.aio.Server], object],
    gate: Callable[[], None] = nothing_refused,
    prepare: Callable[[Message], None] = unchanged,
    access: Access = OPEN,
) -> AsyncIterator[int]:
    """Serves on a free port and yields it."""
    server = grpc.aio.server()
    for each in register:
        each(guarded(server, errors, Admission(32, 1.0, gate), CALL_SECONDS, prepare=prepare, access=access))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def refusal(error: grpc.RpcError) -> tuple[grpc.StatusCode, str, Sequence[str]]:
    """Returns the status code, the reason and the invalid fields of an error."""
    assert isinstance(error, grpc.aio.AioRpcError)
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        detail.Unpack(info)
        detail.Unpack(bad_request)
    return error.code(), info.reason, [violation.field for violation in bad_request.field_violations]
