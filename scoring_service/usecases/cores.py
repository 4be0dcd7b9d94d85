"""Spreads work on many leads over the cores of the machine.

Work is an async function of the `Stores`, such as a `partial` of a function of a module. It runs here, on the event
loop, or in child processes, which have stores of their own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from scoring_service.domain.calendar import Calendar
from scoring_service.ports import Doorbell
from scoring_service.store.facts import FactReader
from scoring_service.store.reads import LeadReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import Clock
from scoring_service.usecases.processes import Processes

MIN_LEADS = 5_000
"""With fewer leads, work runs here: to start the processes would take longer."""
AHEAD = 2
"""Pieces of work per process that are running or wait for a process."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stores:
    """What work on leads reads and writes.

    What is read with `replica_leads` and `replica_facts` may be stale; see `shared.stale_reads`.
    """

    lead_reader: LeadReader
    fact_reader: FactReader
    replica_leads: LeadReader
    replica_facts: FactReader
    lead_writer: LeadWriter
    doorbell: Doorbell
    calendar: Calendar
    clock: Clock


Work = Callable[[Stores], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Cores:
    """Runs work in `processes`, or here if there are none."""

    stores: Stores
    processes: Processes | None = None

    def for_leads(self, leads: int) -> "Cores":
        """Returns the cores to use for a number of leads."""
        return self if leads >= MIN_LEADS else replace(self, processes=None)

    @property
    def count(self) -> int:
        """The number of pieces of work that make progress at a time."""
        return self.processes.count if self.processes else 1

    async def run(self, work: Work[T]) -> T:
        """Runs one piece of work and returns its result.

        Raises:
            ProcessEnded: The child process was killed.
            Exception: What the work raised.
        """
        return await (self.processes.run(work) if self.processes else work(self.stores))

    async def each(self, works: AsyncGenerator[Work[T], None]) -> AsyncGenerator[T, None]:
        """Runs pieces of work side by side and yields their results in the order of `works`.

        The first error ends it. When it ends early, work in progress is cancelled.
        """
        running: deque[asyncio.Task[T]] = deque()
        try:
            async with aclosing(works):
                async for work in works:
                    running.append(asyncio.create_task(self.run(work)))
                    if len(running) >= self.count * AHEAD:
                        yield await running.popleft()
            while running:
                yield await running.popleft()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
