"""What a fault is, and the table in which faults are registered."""

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
    """What a fault can use: the world, the load of its round, and a seeded random generator (`chance`)."""

    world: World
    load: Load
    chance: Random


Inject = Callable[[Scene], Awaitable[None]]
"""Breaks something, and has repaired it by the time it returns."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table."""

    name: str
    what: str
    inject: Inject
    members: int = 1
    """The number of replica set members that it needs."""
    longest_gap: float = 30.0
    """The longest allowed time without an acknowledgement, in seconds."""
    clients: int = CLIENTS
    crash_point: str = ""
    """The crash point that it triggers; empty for a fault that is not a crash."""
    unaffected: Collection[str] = ()
    """Methods whose calls must succeed during the fault."""


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
    """Registers an `Inject` in the table."""

    def register(inject: Inject) -> Inject:
        FAULTS[name] = Fault(name, what, inject, members, longest_gap, clients, crash_point, unaffected)
        return inject

    return register
