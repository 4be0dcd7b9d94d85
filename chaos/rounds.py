"""One round: load, a fault, healing, draining, checking."""

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
"""Load before the fault, on average."""
AFTER_SECONDS = 0.7
"""Load after it."""
LOOK_SECONDS = 0.5
"""How often the database is checked while the fault is on."""
DECAY_PAUSE_SECONDS = 0.5
"""Wait after a decay run that failed."""
CHECK_SECONDS = 60.0
"""Longest time to read the whole history at the end of a round."""
MAX_OF_ONE = 5
"""Violations of one invariant that a round tells of, lest many of one hide another."""
ROUND_SECONDS = 400.0
"""A round that takes longer hangs: all that it may wait for is less."""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round. Times are in seconds; the gaps are the longest without an acknowledgement, and a score.

    `snapshots` is how many were checked while the fault was on and was healed; there are others before and after.
    """

    seed: int
    fault: str
    violations: Sequence[Violation]
    seconds: float
    drain_seconds: float
    ingest_gap: float
    scoring_gap: float
    snapshots: int


class _Watch:
    """Looks at the database during the fault: snapshots, and when scores came forward."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: set[Violation] = set()
        self.progress: list[float] = []
        self.snapshots = 0
        self.is_over = False

    async def run(self) -> None:
        entries = 0
        # Not cancelled, but told: the driver may swallow a cancellation.
        while not self.is_over:
            with contextlib.suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(10 * LOOK_SECONDS):
                    count = await self._world.database["score_history"].estimated_document_count()
                    if count > entries:
                        entries = count
                        self.progress.append(time.monotonic())
                    self.violations.update(await self._world.checker.snapshot())
                    self.snapshots += 1
            await asyncio.sleep(LOOK_SECONDS)


async def run_round(world: World, fault: Fault, seed: int) -> Round:
    """Runs one round in a world; the same fault and seed make the same kind of load and the same decisions.

    A round that cannot be run to its end is a violation, too: nobody knows what held.
    """
    began, watch = time.monotonic(), _Watch(world)
    world.violations.clear()
    world.doomed.clear()
    try:
        async with asyncio.timeout(ROUND_SECONDS):
            return await _round(world, fault, seed, watch)
    except Exception as error:  # noqa: BLE001 (whatever it is, what was found so far is told, and the next round is run)
        found = [*watch.violations, *(Violation(*each) for each in world.violations)]
        found.append(Violation("round", f"it could not be ended: {error!r}"[:500]))
        return Round(seed, fault.name, found, time.monotonic() - began, 0, 0, 0, 0)


async def _round(world: World, fault: Fault, seed: int, watch: _Watch) -> Round:
    # Of their own, since clients draw in the order in which they are answered.
    chance, of_load = random.Random(f"fault {seed}"), random.Random(f"load {seed}")
    load = Load(world, of_load, f"{seed}", call_seconds=PATIENT_SECONDS if fault.unaffected else CALL_SECONDS)
    began = time.monotonic()
    async with _beside(watch):
        async with load.running(fault.clients):
            await asyncio.sleep(chance.uniform(0.5, 1.5) * BEFORE_SECONDS)
            world.is_under_fault, world.unaffected = True, fault.unaffected
            snapshots = -watch.snapshots
            await fault.inject(Scene(world, load, chance))
            snapshots += watch.snapshots
            await asyncio.sleep(AFTER_SECONDS)
        healed = time.monotonic()
        found = await settle(world, load)
        world.is_under_fault = False
    world.look_at_logs()
    drained_after = time.monotonic() - healed
    found += [Violation(*each) for each in world.violations]
    found += await check(world, load)
    gap = _longest_gap(began, load.acknowledgements, healed)
    if gap > fault.longest_gap:
        found.append(
            Violation("gap", f"no event was acknowledged for {gap:.1f} s, {fault.longest_gap:g} s are allowed")
        )
    if not watch.snapshots:
        found.append(Violation("round", "no snapshot could be read, so nothing is known of what held meanwhile"))
    violations = _some_of_each({*found, *watch.violations})
    ended = time.monotonic()
    scoring_gap = _longest_gap(began, watch.progress, ended)
    return Round(seed, fault.name, violations, ended - began, drained_after, gap, scoring_gap, snapshots)


@contextlib.asynccontextmanager
async def _beside(watch: _Watch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        watch.is_over = True
        await task


async def settle(world: World, load: Load) -> list[Violation]:
    """Waits until all is acknowledged, decayed and drained, `DRAIN_SECONDS` for all of it, and returns what is not."""
    found, ends = list[Violation](), time.monotonic() + DRAIN_SECONDS
    if not await load.finish(ends):
        found.append(Violation("I13", f"some events were not acknowledged within {DRAIN_SECONDS:g} s after healing"))
    if not await _decayed(load, ends):
        found.append(Violation("I13", f"no decay run was completed within {DRAIN_SECONDS:g} s after healing"))
    found += [Violation("I13", each) for each in await drained(world, ends)]
    return found


async def _decayed(load: Load, ends: float) -> bool:
    while await load.decay() is None:
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(DECAY_PAUSE_SECONDS)
    return True


async def check(world: World, load: Load, seconds: float = CHECK_SECONDS) -> list[Violation]:
    """Checks what must hold when quiesced, and reads all that is there within some seconds."""
    found = []
    again = await load.decay()
    if again is None:
        found.append(Violation("I12", "a decay run failed although the fault was over"))
    elif again:
        found.append(Violation("I12", f"a decay run that was repeated appended {again} entries"))
    found += [Violation("I7", f"verify says {each}") for each in await load.verify()]
    return found + await world.checker.quiesced(seconds)


def _some_of_each(found: Iterable[Violation]) -> list[Violation]:
    by_invariant = groupby(sorted(found), key=lambda each: each.invariant)
    return [each for _, of_one in by_invariant for each in islice(of_one, MAX_OF_ONE)]


def _longest_gap(began: float, times: Sequence[float], ended: float) -> float:
    inside = [each for each in times if began < each < ended]
    return max(later - earlier for earlier, later in pairwise([began, *inside, ended]))
