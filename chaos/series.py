"""A series of rounds: plans the faults and their order, and runs them in worlds."""

import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path

from chaos import faults
from chaos.crash_points import recorded
from chaos.fault import FAULTS, Fault
from chaos.rounds import Round, run_round
from chaos.world import running_world

__all__ = ["Plan", "Series", "faults", "named", "plan"]

LOGS = Path(".leadscore/chaos")
"""Where the logs of worlds with violations are kept, in one directory per seed."""
WORLD_ROUNDS = 10
"""Rounds that share a world; more would make its database slow to check."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned round."""

    fault: Fault
    seed: int


def named(names: str) -> list[Fault]:
    """Returns the faults whose names start with one of the comma-separated prefixes; all faults if `names` is empty.

    Raises:
        ValueError: No fault has one of the prefixes.
    """
    found = []
    for word in names.split(",") if names else [""]:
        word = word.strip()
        matching = [fault for fault in FAULTS.values() if fault.name == word] or [
            fault for fault in FAULTS.values() if fault.name.startswith(word)
        ]
        if not matching:
            raise ValueError(f"no fault starts with {word!r}; the faults are: {', '.join(FAULTS)}")
        found += matching
    return found


def plan(chosen: Sequence[Fault], rounds: int, seed: int) -> list[Plan]:
    """Returns an equal number of rounds of each fault, in an order that depends on the seed.

    Round number n (from 0) has the seed `seed + n`, so a series of one round with that seed repeats it.
    """
    order = list(chosen)
    random.Random(seed).shuffle(order)
    return [Plan(fault, seed + number) for number, fault in enumerate(islice(cycle(order), rounds))]


def _blocks(plans: Sequence[Plan]) -> Iterator[list[Plan]]:
    """Yields the rounds that share a world: at most `WORLD_ROUNDS` with the same number of replica set members."""
    blocks: dict[int, list[Plan]] = {}
    for each in plans:
        block = blocks.setdefault(each.fault.members, [])
        block.append(each)
        if len(block) == WORLD_ROUNDS:
            yield blocks.pop(each.fault.members)
    yield from blocks.values()


class Series:
    """Runs planned rounds; each world gets its own subdirectory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._record = directory / "crashes"
        self._worlds = count(1)

    def crashes(self) -> Counter[str]:
        """Returns how often each crash point has fired."""
        return recorded(self._record)

    async def run(self, plans: Sequence[Plan]) -> AsyncIterator[Round]:
        """Yields each round when it is done; starts a new world after a round with a violation."""
        for block in _blocks(plans):
            left = block
            while left:
                directory = self._directory / f"world-{next(self._worlds)}"
                async with running_world(directory, self._record, members=left[0].fault.members) as world:
                    while left:
                        done = await run_round(world, left[0].fault, left[0].seed)
                        left = left[1:]
                        yield done
                        if done.violations:
                            keep_logs(directory, LOGS / str(done.seed))
                            break
                shutil.rmtree(directory, ignore_errors=True)


def keep_logs(of: Path, to: Path) -> None:
    """Copies the logs of a world to a directory, which is created."""
    to.mkdir(parents=True, exist_ok=True)
    for log in of.rglob("*.log"):
        shutil.copy(log, to / "-".join(log.relative_to(of).parts))
