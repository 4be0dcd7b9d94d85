"""A soak: one world under half the load for long, a fault every two minutes, and the memory of each process watched."""

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from chaos.fault import FAULTS, Scene
from chaos.load import Load
from chaos.rounds import check, settle
from chaos.violation import Violation
from chaos.world import World

FAULT_SECONDS = 120.0
LOAD_CLIENTS = 8
"""About half of what two cores hold on which everything else runs as well; see `docs/reliability.md`."""
LOAD_SECONDS = 20.0
"""Then new leads take the place of the old ones, lest the history of a lead grow without end."""
SAMPLE_SECONDS = 5.0
CHECK_SECONDS = 900.0
"""Longest time to read the whole history at the end."""
WARM_UP = 0.25
"""Of the time: a process may grow until then."""
WINDOW = 12
"""Samples at the beginning and at the end whose medians are compared."""
MAX_GROWTH = 0.10
FILLER_MEBIBYTES = 400
"""More than the cache that MongoDB has in a world."""
SOAKED = ("redis flushed", "redis hangs", "transient errors", "mongo resets", "receiver 500", "duplicates", "decay")
"""Faults after which every process is the one that it was, so that its memory can be compared."""


class Sample(NamedTuple):
    """What a process had at a time: resident memory in MiB, and open files."""

    mebibytes: float
    files: int


@dataclass(slots=True)
class Watched:
    """Samples by name and process id, in the order of time, from the end of the warm-up on."""

    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, world: World, warm_up: float) -> None:
        """Takes samples until it is cancelled, after so many seconds."""
        await asyncio.sleep(warm_up)
        while True:
            for name, pid in world.pids().items():
                with contextlib.suppress(OSError):
                    self.samples[name, pid].append(_sample(pid))
            await asyncio.sleep(SAMPLE_SECONDS)

    def growths(self) -> Mapping[str, tuple[Sample, Sample]]:
        """Returns medians of the first and of the last samples of those processes that have lived for long enough."""
        return {
            name: (_median(samples[:WINDOW]), _median(samples[-WINDOW:]))
            for (name, _), samples in self.samples.items()
            if len(samples) >= 2 * WINDOW
        }

    def violations(self, names: Iterable[str]) -> list[Violation]:
        """Returns those of the named processes that have grown by more than they may, or are not known to (I14)."""
        lives, grown = Counter(name for name, _ in self.samples), self.growths()
        unknown = [
            Violation("I14", f"{name} was not the same process for long enough to tell whether it grows")
            for name in names
            if name not in grown or lives[name] > 1
        ]
        return unknown + [
            Violation(
                "I14",
                f"{name} has grown from {first.mebibytes:.0f} to {last.mebibytes:.0f} MiB, {first.files} to "
                f"{last.files} files",
            )
            for name, (first, last) in grown.items()
            if last.mebibytes > first.mebibytes * (1 + MAX_GROWTH) or last.files > first.files * (1 + MAX_GROWTH) + 2
        ]

    def table(self) -> Table:
        """Returns what there was after the warm-up, and at the end."""
        found = Table("process", "MiB then", "MiB at the end", "files then", "files at the end", title="Soak")
        for name, (first, last) in sorted(self.growths().items()):
            found.add_row(name, f"{first.mebibytes:.0f}", f"{last.mebibytes:.0f}", str(first.files), str(last.files))
        return found


async def soak(world: World, minutes: float, seed: int, tell: Callable[[str], None]) -> tuple[Watched, list[Violation]]:
    """Soaks a world for some minutes and returns what its processes had, and what is violated at the end."""
    chance, watched = random.Random(seed), Watched()
    found: list[Violation] = []
    began = time.monotonic()
    ends = began + 60 * minutes
    await _fill_cache(world)
    async with _beside(watched, world, 60 * minutes * WARM_UP):
        fault_at = began + FAULT_SECONDS
        for number in count(1):
            load, what = Load(world, chance, f"soak-{seed}-{number}"), ""
            async with load.running(LOAD_CLIENTS):
                await asyncio.sleep(min(LOAD_SECONDS, max(0.0, ends - time.monotonic())))
                if time.monotonic() > fault_at:
                    fault_at += FAULT_SECONDS
                    what = chance.choice(SOAKED)
                    world.is_under_fault = True
                    await FAULTS[what].inject(Scene(world, load, chance))
            found += await settle(world, load)
            world.is_under_fault = False
            if what:
                minute = (time.monotonic() - began) / 60
                tell(f"{minute:5.1f} min  {len(world.journal.acknowledged):,} events acknowledged, {what}")
            if time.monotonic() > ends:
                break
    world.look_at_logs()
    found += [Violation(*each) for each in world.violations]
    tell(f"checking {len(world.journal.acknowledged):,} events")
    return watched, [*found, *await check(world, load, CHECK_SECONDS), *watched.violations(world.pids())]


async def _fill_cache(world: World) -> None:
    """Lets MongoDB's cache be full from the beginning: it grows up to its bound, which is no leak."""
    filler = world.client["filler"]["filler"]
    for _ in range(FILLER_MEBIBYTES):
        await filler.insert_one({"bytes": random.randbytes(2**20)})


@contextlib.asynccontextmanager
async def _beside(watched: Watched, world: World, warm_up: float) -> AsyncIterator[None]:
    task = asyncio.create_task(watched.run(world, warm_up))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _sample(pid: int) -> Sample:
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text().split()[1])
    return Sample(pages * 4096 / 2**20, sum(1 for _ in (process / "fd").iterdir()))


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(each.mebibytes for each in samples), round(statistics.median(each.files for each in samples))
    )
