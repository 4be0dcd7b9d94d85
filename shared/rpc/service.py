"""What a service is to the server that runs it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from shared.access.enforcement import Access
from shared.rpc.admission import StreamTable, nothing_refused
from shared.rpc.errors import ErrorTable


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
