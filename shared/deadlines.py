"""Deadlines: an outgoing call never outlives the incoming call that caused it.

Guarantee: inside `deadline()`, the remaining time limits each MongoDB operation and each outgoing RPC (see
`shared.rpc.channels`), and when it has passed, none begins; outside of it, outgoing RPCs are limited to
`DEFAULT_SECONDS`.
"""

import time
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token

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
