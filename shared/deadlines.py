"""Deadlines: an outgoing call never outlives the incoming call that caused it.

Guarantee: inside `deadline()`, the remaining time limits each MongoDB operation and each outgoing RPC, and when it has
passed, none begins; outside of it, outgoing RPCs are limited to `DEFAULT_SECONDS`.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from typing import Any

import grpc
import pymongo

DEFAULT_SECONDS = 10.0
"""Time limit of an outgoing RPC outside of `deadline()`."""
KEEPALIVE_SECONDS = 60.0
"""Clients and servers ping a connection after this long without traffic.

Otherwise the loss of the other machine goes unnoticed: a server would keep a watch for two hours, the default of grpc,
and calls would time out on a dead connection until the kernel closes it after 15 minutes.
"""
PING_SECONDS = 20.0
"""A connection is closed if a ping is not answered within this time."""
EXPIRED_SECONDS = 1e-9
"""The timeout that pymongo is given when no time is left, because it treats 0 as no limit. It ends before any
command is sent; within a millisecond, a command could still get through."""

_OPTIONS = [
    # 500 leads with many attributes exceed the 4 MiB default of grpc, and a retry would exceed it again.
    ("grpc.max_receive_message_length", -1),
    # The default back-off of grpc grows to two minutes, far too long after a service is up again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", round(KEEPALIVE_SECONDS * 1000)),
    ("grpc.http2.ping_timeout_ms", round(PING_SECONDS * 1000)),
]
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


class deadline:  # noqa: N801 (used like a function, as the context managers of contextlib)
    """Limits all calls in its block to `seconds` from now, or to the enclosing deadline if that is earlier.

    It is entered for every incoming call, and a generator of `contextlib` would double its cost.
    """

    __slots__ = ("_mongo", "_seconds", "_token")
    _mongo: AbstractContextManager[object]
    _token: Token[float | None]

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        ends_at, enclosing = time.monotonic() + self._seconds, _ends_at.get()
        self._token = _ends_at.set(ends_at if enclosing is None else min(enclosing, ends_at))
        self._mongo = pymongo.timeout(max(self._seconds, EXPIRED_SECONDS))
        self._mongo.__enter__()

    def __exit__(self, *error: object) -> None:
        self._mongo.__exit__(None, None, None)
        _ends_at.reset(self._token)


def seconds_left() -> float:
    """Returns the seconds until the deadline, 0 when it has passed."""
    ends_at = _ends_at.get()
    return DEFAULT_SECONDS if ends_at is None else max(0.0, ends_at - time.monotonic())


class _Bounded(grpc.aio.UnaryUnaryClientInterceptor):
    """Sets the deadline of every outgoing call that has none, and makes no call once it has passed."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 (grpc's own signature)
        if client_call_details.timeout is None:
            left = seconds_left()
            if not left:
                raise _deadline_exceeded()  # given no time, gRPC lets most calls through
            client_call_details = grpc.aio.ClientCallDetails(
                client_call_details.method,
                left,
                client_call_details.metadata,
                client_call_details.credentials,
                client_call_details.wait_for_ready,
            )
        return await continuation(client_call_details, request)


def _deadline_exceeded() -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, nothing, nothing, "the deadline has passed")


def connect(target: str) -> grpc.aio.Channel:
    """Opens a channel to another service. Open, use and close it in one event loop."""
    return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=[_Bounded()])
