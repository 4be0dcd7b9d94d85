"""What a fault is, and how one is entered into the table of faults."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random

from tests.faults.load import CLIENTS, Load
from tests.faults.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may touch: the world, the load of its round, and the chance that makes it reproducible."""

    world: World
    load: Load
    chance: Random


Inject = Callable[[Scene], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table: a fault that is on while the block of `inject` runs, and healed when it ends."""

    name: str
    what: str
    inject: Inject
    members: int = 1
    """Members of the replica set that it needs."""
    longest_gap: float = 30.0
    """Seconds that may pass without an acknowledgement."""
    clients: int = CLIENTS
    crash_point: str = ""
    """The crash point that it makes fire, if it is one."""


FAULTS: dict[str, Fault] = {}
"""All faults by name, once `tests.faults.faults` is imported."""


def fault(
    name: str,
    what: str,
    *,
    members: int = 1,
    longest_gap: float = 30.0,
    clients: int = CLIENTS,
    crash_point: str = "",
) -> Callable[[Callable[[Scene], AsyncIterator[None]]], Inject]:
    """Enters a generator that yields once, between injecting and healing, into the table."""

    def enter(generator: Callable[[Scene], AsyncIterator[None]]) -> Inject:
        inject = asynccontextmanager(generator)
        FAULTS[name] = Fault(name, what, inject, members, longest_gap, clients, crash_point)
        return inject

    return enter
