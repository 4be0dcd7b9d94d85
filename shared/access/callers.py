"""Who makes the current call."""

import math
from contextvars import ContextVar
from dataclasses import dataclass

from shared.access.keys import Limits
from shared.access.roles import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who has shown who they are: by a key, by a token, or by a client certificate."""

    name: str
    """The actor in histories and in the audit log."""
    roles: frozenset[Role]
    key_id: str = ""
    """The id of the caller's key; empty without one."""
    limits: Limits | None = None
    ends_at: float = math.inf
    """When the key or token expires, in seconds since 1970."""


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def enter(caller: Caller) -> None:
    """Makes someone the caller of the current call. gRPC runs each call in a context of its own."""
    _current.set(caller)


def current() -> Caller | None:
    """Returns the caller of the current call; None if authentication is off."""
    return _current.get()


def actor(claimed: str) -> str:
    """Returns the actor to record: the caller's name or, if authentication is off, the one that the request claims."""
    caller = _current.get()
    return claimed if caller is None else caller.name
