"""A series of rounds: which faults, in which order, and in which worlds."""

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
"""Where the logs of worlds with violations are kept, by the seeds of the rounds."""
WORLD_ROUNDS = 10
"""Rounds that share a world; a new one is begun before its database is too large to be checked quickly."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A round to come."""

    fault: Fault
    seed: int


def named(names: str) -> list[Fault]:
    """Returns the faults whose names begin with one of some words, separated by commas; all of them for none.

    Raises:
        ValueError: A word begins no name.
    """
    found = []
    for word in names.split(",") if names else [""]:
        word = word.strip()
        matching = [fault for fault in FAULTS.values() if fault.name == word] or [
            fault for fault in FAULTS.values() if fault.name.startswith(word)
        ]
        if not matching:
            raise ValueError(f"no fault begins with {word!r}; there are: {', '.join(FAULTS)}")
        found += matching
    return found


def plan(chosen: Sequence[Fault], rounds: int, seed: int) -> list[Plan]:
    """Returns as many rounds of each fault as of any other, in an order that the seed decides.

    The seed of a round is the sum of this seed and its place, so a series of one round with its seed is that round.
    """
    order = list(chosen)
    random.Random(seed).shuffle(order)
    return [Plan(fault, seed + number) for number, fault in enumerate(islice(cycle(order), rounds))]


def _blocks(plans: Sequence[Plan]) -> Iterator[list[Plan]]:
    """Yields what shares a world: rounds with the same number of members, as soon as there are enough of them."""
    blocks: dict[int, list[Plan]] = {}
    for each in plans:
        block = blocks.setdefault(each.fault.members, [])
        block.append(each)
        if len(block) == WORLD_ROUNDS:
            yield blocks.pop(each.fault.members)
    yield from blocks.values()


class Series:
    """Runs what is planned, in directories of its own below one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._record = directory / "crashes"
        self._worlds = count(1)

    def crashes(self) -> Counter[str]:
        """Returns how often each crash point has fired."""
        return recorded(self._record)

    async def run(self, plans: Sequence[Plan]) -> AsyncIterator[Round]:
        """Yields each round when it is done. After one with a violation a new world is begun."""
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
                            _keep_logs(directory, LOGS / str(done.seed))
                            break
                shutil.rmtree(directory, ignore_errors=True)


def _keep_logs(of: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for log in of.rglob("*.log"):
        shutil.copy(log, to / "-".join(log.relative_to(of).parts))
