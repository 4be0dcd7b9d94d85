"""What a fault is, and how one is entered into the table of faults."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from random import Random

from chaos.load import CLIENTS, Load
from chaos.world import World

OF_INGEST = ("IngestEvent", "BatchIngestEvents")
OF_SCORING = ("ListScoreHistory", "GetLeadScore", "DecayScores")
OF_INTELLIGENCE = ("GetLeadIntelligence",)
EVERY_METHOD = (*OF_INGEST, *OF_SCORING, *OF_INTELLIGENCE)
"""The methods that the load of a round calls."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may touch: the world, the load of its round, and the chance that makes it reproducible."""

    world: World
    load: Load
    chance: Random


Inject = Callable[[Scene], Awaitable[None]]
"""Breaks something, and has healed it when it returns."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table."""

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
    unaffected: Collection[str] = ()
    """Methods whose calls must succeed all the same."""


FAULTS: dict[str, Fault] = {}
"""All faults by name, once `chaos.faults` is imported."""


def fault(
    name: str,
    what: str,
    *,
    members: int = 1,
    longest_gap: float = 30.0,
    clients: int = CLIENTS,
    crash_point: str = "",
    unaffected: Collection[str] = (),
) -> Callable[[Inject], Inject]:
    """Enters an `Inject` into the table."""

    def enter(inject: Inject) -> Inject:
        FAULTS[name] = Fault(name, what, inject, members, longest_gap, clients, crash_point, unaffected)
        return inject

    return enter
