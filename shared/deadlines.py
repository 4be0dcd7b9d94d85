"""Deadlines: every call that leaves a process ends when the call that caused it does.

Guarantee: inside `deadline()` each MongoDB operation and each outgoing RPC is bounded by the time that is left;
outside of it an outgoing RPC is bounded by `DEFAULT_SECONDS`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import pymongo
from google.rpc import error_details_pb2
from grpc_status import rpc_status

DEFAULT_SECONDS = 10.0
"""For an outgoing RPC that no incoming one caused."""
KEEPALIVE_SECONDS = 60.0
"""A connection over which nothing has come for this long is tried by a ping, by servers and by those who call them.

Nothing else shows that the other side's machine has vanished: a server would keep the place of a watcher for grpc's own
two hours, and calls would go into a dead connection, and time out, until the kernel gives it up after 15 minutes.
"""
PING_SECONDS = 20.0
"""A connection is given up so long after a ping without an answer."""

_OPTIONS = [
    # 500 leads with many attributes exceed grpc's 4 MiB; an answer that is refused would be refused for ever.
    ("grpc.max_receive_message_length", -1),
    # grpc's own back-off grows to two minutes, in which a service that is back would go unnoticed.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", round(KEEPALIVE_SECONDS * 1000)),
    ("grpc.http2.ping_timeout_ms", round(PING_SECONDS * 1000)),
]
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bounds all that is called inside to so many seconds from now, or to the enclosing deadline if that is nearer."""
    ends_at = asyncio.get_running_loop().time() + seconds
    enclosing = _ends_at.get()
    token = _ends_at.set(ends_at if enclosing is None else min(enclosing, ends_at))
    try:
        # pymongo takes 0 for no bound at all.
        with pymongo.timeout(max(seconds, 0.001)):
            yield
    finally:
        _ends_at.reset(token)


def seconds_left() -> float:
    """Returns the seconds until the deadline, 0 when it has passed."""
    ends_at = _ends_at.get()
    return DEFAULT_SECONDS if ends_at is None else max(0.0, ends_at - asyncio.get_running_loop().time())


class _Bounded(grpc.aio.UnaryUnaryClientInterceptor):
    """Gives every outgoing call that has none a deadline."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 (grpc's own signature)
        if client_call_details.timeout is None:
            client_call_details = grpc.aio.ClientCallDetails(
                client_call_details.method,
                seconds_left(),
                client_call_details.metadata,
                client_call_details.credentials,
                client_call_details.wait_for_ready,
            )
        return await continuation(client_call_details, request)


def connect(target: str) -> grpc.aio.Channel:
    """Opens a channel to another service; to be called in the event loop that uses it, and closed there."""
    return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=[_Bounded()])


def retry_seconds(error: grpc.RpcError) -> float | None:
    """Returns how long the server asks to wait before the call is made again, None when it does not say."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return None
