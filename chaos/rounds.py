"""Runs one round: load, a fault, recovery, draining, checking."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise

from pymongo.errors import PyMongoError

from chaos.calls import CALL_SECONDS
from chaos.checker import Violation
from chaos.drain import DRAIN_SECONDS, drained
from chaos.fault import Fault, Scene
from chaos.load import PATIENT_SECONDS, Load
from chaos.world import World

BEFORE_SECONDS = 1.0
"""Average time of load before the fault."""
AFTER_SECONDS = 0.7
"""Time of load after the fault."""
SNAPSHOT_PAUSE_SECONDS = 0.5
"""The pause between two snapshots of the database."""
DECAY_PAUSE_SECONDS = 0.5
"""The pause after a failed decay run."""
CHECK_SECONDS = 60.0
"""The limit for reading the whole history at the end of a round."""
MAX_PER_INVARIANT = 5
"""How many violations of one invariant a round reports, so that they do not hide those of another."""
ROUND_SECONDS = 400.0
"""The limit for a round; it is more than the sum of all limits inside a round, so a longer round hangs."""


@dataclass(frozen=True, slots=True)
class Round:
    """The result of a round, with times in seconds.

    `ingest_gap` is the longest time without an acknowledgement, `scoring_gap` the longest without a new entry.
    `snapshots` counts those that were checked during the fault; others are checked before and after it.
    """

    seed: int
    fault: str
    violations: Sequence[Violation]
    seconds: float
    drain_seconds: float
    ingest_gap: float
    scoring_gap: float
    snapshots: int


class _Observer:
    """Observes the database during a round: checks snapshots, and records when the history grew."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: set[Violation] = set()
        self.progress: list[float] = []
        self.snapshots = 0
        self.is_over = False

    async def run(self) -> None:
        entries = 0
        # A flag instead of a cancellation, because the driver can swallow a cancellation.
        while not self.is_over:
            with contextlib.suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(10 * SNAPSHOT_PAUSE_SECONDS):
                    count = await self._world.database["score_history"].estimated_document_count()
                    if count > entries:
                        entries = count
                        self.progress.append(time.monotonic())
                    self.violations.update(await self._world.checker.snapshot())
                    self.snapshots += 1
            await asyncio.sleep(SNAPSHOT_PAUSE_SECONDS)


async def run_round(world: World, fault: Fault, seed: int) -> Round:
    """Runs one round in a world; the same fault and seed produce the same kind of load and the same decisions.

    A round that cannot be finished is a violation, too, because it does not show whether the invariants held.
    """
    began, observer = time.monotonic(), _Observer(world)
    world.findings.clear()
    try:
        async with asyncio.timeout(ROUND_SECONDS):
            return await _round(world, fault, seed, observer)
    except Exception as error:  # noqa: BLE001 (reported as a violation; the series continues)
        found = [*observer.violations, *world.findings.violations]
        found.append(Violation("round", f"the round could not be finished: {error!r}"[:500]))
        return Round(seed, fault.name, found, time.monotonic() - began, 0, 0, 0, 0)


async def _round(world: World, fault: Fault, seed: int, observer: _Observer) -> Round:
    # Two generators, because the order in which clients draw depends on timing.
    chance, of_load = random.Random(f"fault {seed}"), random.Random(f"load {seed}")
    load = Load(world, of_load, f"{seed}", call_seconds=PATIENT_SECONDS if fault.unaffected else CALL_SECONDS)
    began = time.monotonic()
    async with _observing(observer):
        async with load.running(fault.clients):
            await asyncio.sleep(chance.uniform(0.5, 1.5) * BEFORE_SECONDS)
            world.findings.is_under_fault, world.findings.unaffected = True, fault.unaffected
            snapshots = -observer.snapshots
            await fault.inject(Scene(world, load, chance))
            snapshots += observer.snapshots
            await asyncio.sleep(AFTER_SECONDS)
        healed = time.monotonic()
        found = await settle(world, load)
        world.findings.is_under_fault = False
    world.processes.logs.check()
    drained_after = time.monotonic() - healed
    found += world.findings.violations
    found += await check(world, load)
    gap = _longest_gap(began, load.acknowledgements, healed)
    if gap > fault.longest_gap:
        found.append(
            Violation("gap", f"no event was acknowledged for {gap:.1f} s, {fault.longest_gap:g} s are allowed")
        )
    if not observer.snapshots:
        found.append(Violation("round", "no snapshot could be read, so nothing was checked during the round"))
    violations = _limited({*found, *observer.violations})
    ended = time.monotonic()
    scoring_gap = _longest_gap(began, observer.progress, ended)
    return Round(seed, fault.name, violations, ended - began, drained_after, gap, scoring_gap, snapshots)


@contextlib.asynccontextmanager
async def _observing(observer: _Observer) -> AsyncIterator[None]:
    task = asyncio.create_task(observer.run())
    try:
        yield
    finally:
        observer.is_over = True
        await task


async def settle(world: World, load: Load) -> list[Violation]:
    """Waits at most `DRAIN_SECONDS` until everything is acknowledged, decayed and drained; returns what is not."""
    found, ends = list[Violation](), time.monotonic() + DRAIN_SECONDS
    if not await load.finish(ends):
        found.append(Violation("I13", f"some events were not acknowledged within {DRAIN_SECONDS:g} s after the fault"))
    if not await _decayed(load, ends):
        found.append(Violation("I13", f"no decay run was completed within {DRAIN_SECONDS:g} s after the fault"))
    found += [Violation("I13", each) for each in await drained(world, ends)]
    return found


async def _decayed(load: Load, ends: float) -> bool:
    while await load.decay() is None:
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(DECAY_PAUSE_SECONDS)
    return True


async def check(world: World, load: Load, seconds: float = CHECK_SECONDS) -> list[Violation]:
    """Checks what must hold when quiesced; reads the whole database within `seconds`."""
    found = []
    again = await load.decay()
    if again is None:
        found.append(Violation("I12", "a decay run failed after the fault was over"))
    elif again:
        found.append(Violation("I12", f"a repeated decay run appended {again} entries"))
    found += [Violation("I7", f"VerifyScores reports {each}") for each in await load.verify()]
    return found + await world.checker.quiesced(seconds)


def _limited(found: Iterable[Violation]) -> list[Violation]:
    by_invariant = groupby(sorted(found), key=lambda each: each.invariant)
    return [each for _, of_one in by_invariant for each in islice(of_one, MAX_PER_INVARIANT)]


def _longest_gap(began: float, times: Sequence[float], ended: float) -> float:
    inside = [each for each in times if began < each < ended]
    return max(later - earlier for earlier, later in pairwise([began, *inside, ended]))
