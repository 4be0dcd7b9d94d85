"""A soak: runs one world under half load for long, with a fault every two minutes, and samples memory and files."""

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

FAULT_EVERY_SECONDS = 120.0
LOAD_CLIENTS = 8
"""About half of what two cores that also run everything else can handle; see `docs/reliability.md`."""
LOAD_SECONDS = 20.0
"""How long the load uses the same leads; new leads keep the history of each lead short."""
SAMPLE_SECONDS = 5.0
CHECK_SECONDS = 900.0
"""The limit for reading the whole history at the end."""
WARM_UP = 0.25
"""The share of the time during which a process may grow."""
WINDOW = 12
"""How many samples at the beginning and at the end are compared by their medians."""
MAX_GROWTH = 0.10
FILLER_MEBIBYTES = 400
"""More than the size of MongoDB's cache in a world."""
SOAK_FAULTS = (
    "redis flushed",
    "redis hangs",
    "transient errors",
    "mongo resets",
    "receiver 500",
    "duplicates",
    "decay",
)
"""Faults that restart no process, so that the memory of each can be compared."""


class Sample(NamedTuple):
    """The resident memory of a process in MiB, and its number of open files."""

    mebibytes: float
    files: int


@dataclass(slots=True)
class ProcessSamples:
    """Samples by name and process id, in the order of time, since the end of the warm-up."""

    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, world: World, warm_up: float) -> None:
        """Waits `warm_up` seconds, then takes samples until it is cancelled."""
        await asyncio.sleep(warm_up)
        while True:
            for name, pid in world.pids().items():
                with contextlib.suppress(OSError):
                    self.samples[name, pid].append(_sample(pid))
            await asyncio.sleep(SAMPLE_SECONDS)

    def growths(self) -> Mapping[str, tuple[Sample, Sample]]:
        """Returns the medians of the first and the last samples of each process that has lived long enough."""
        return {
            name: (_median(samples[:WINDOW]), _median(samples[-WINDOW:]))
            for (name, _), samples in self.samples.items()
            if len(samples) >= 2 * WINDOW
        }

    def violations(self, names: Iterable[str]) -> list[Violation]:
        """Returns the named processes that grew by more than `MAX_GROWTH`, or lived too briefly to tell (I14)."""
        lives, grown = Counter(name for name, _ in self.samples), self.growths()
        unknown = [
            Violation("I14", f"{name} did not live long enough in one process to show whether it grows")
            for name in names
            if name not in grown or lives[name] > 1
        ]
        return unknown + [
            Violation(
                "I14",
                f"{name} grew from {first.mebibytes:.0f} to {last.mebibytes:.0f} MiB, {first.files} to "
                f"{last.files} files",
            )
            for name, (first, last) in grown.items()
            if last.mebibytes > first.mebibytes * (1 + MAX_GROWTH) or last.files > first.files * (1 + MAX_GROWTH) + 2
        ]

    def table(self) -> Table:
        """Returns a table of memory and files after the warm-up and at the end."""
        found = Table("process", "MiB, warm", "MiB, end", "files, warm", "files, end", title="Soak")
        for name, (first, last) in sorted(self.growths().items()):
            found.add_row(name, f"{first.mebibytes:.0f}", f"{last.mebibytes:.0f}", str(first.files), str(last.files))
        return found


async def soak(
    world: World, minutes: float, seed: int, report: Callable[[str], None]
) -> tuple[ProcessSamples, list[Violation]]:
    """Soaks a world for some minutes; returns the samples of its processes, and all violations."""
    chance, samples = random.Random(seed), ProcessSamples()
    found: list[Violation] = []
    began = time.monotonic()
    ends = began + 60 * minutes
    await _fill_cache(world)
    async with _sampling(samples, world, 60 * minutes * WARM_UP):
        fault_at = began + FAULT_EVERY_SECONDS
        for number in count(1):
            load, what = Load(world, chance, f"soak-{seed}-{number}"), ""
            async with load.running(LOAD_CLIENTS):
                await asyncio.sleep(min(LOAD_SECONDS, max(0.0, ends - time.monotonic())))
                if time.monotonic() > fault_at:
                    fault_at += FAULT_EVERY_SECONDS
                    what = chance.choice(SOAK_FAULTS)
                    world.findings.is_under_fault = True
                    await FAULTS[what].inject(Scene(world, load, chance))
            found += await settle(world, load)
            world.findings.is_under_fault = False
            if what:
                minute = (time.monotonic() - began) / 60
                report(f"{minute:5.1f} min  {len(world.journal.acknowledged):,} events acknowledged, {what}")
            if time.monotonic() > ends:
                break
    world.processes.logs.check()
    found += world.findings.violations
    report(f"checking {len(world.journal.acknowledged):,} events")
    return samples, [*found, *await check(world, load, CHECK_SECONDS), *samples.violations(world.pids())]


async def _fill_cache(world: World) -> None:
    """Fills MongoDB's cache at the beginning, because growth up to its limit is not a leak."""
    filler = world.client["filler"]["filler"]
    for _ in range(FILLER_MEBIBYTES):
        await filler.insert_one({"bytes": random.randbytes(2**20)})


@contextlib.asynccontextmanager
async def _sampling(samples: ProcessSamples, world: World, warm_up: float) -> AsyncIterator[None]:
    task = asyncio.create_task(samples.run(world, warm_up))
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
