"""Brings leads up to date with their partition: its decay date, and the publication that it follows.

Guarantee: if a page of leads fails or is too large for one transaction, it is split until the failing lead is alone,
and all other leads are updated. A heavy lead is updated alone.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import TypeVar

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import LeadUpdate
from scoring_service.ports import Doorbell
from scoring_service.store.facts import FactReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import Clock, HistoryWriter, PendingFacts
from scoring_service.usecases.lead_transaction import LeadTransaction
from shared import logs
from shared.portions import Portions
from shared.rpc.errors import is_transient

CONCURRENT_PARTITIONS = 2
"""Number of partitions in progress: while MongoDB writes one page, another one is folded."""
MAX_CONSECUTIVE_ERRORS = 3
"""The run stops after this many consecutive transient errors, because the leads are not the cause."""

T = TypeVar("T")
_LOG = logs.get(__name__)


@dataclass(slots=True)
class _Failures:
    """The errors of a run so far."""

    errors: list[Exception] = field(default_factory=list)
    consecutive: int = 0

    def add(self, error: Exception, partition: int, lead_ids: Sequence[str]) -> None:
        """Records an error; raises it if the run must stop."""
        _LOG.warning("leads not updated", partition=partition, leads=lead_ids[:10], error=logs.one_line(error))
        self.errors.append(error)
        self.consecutive += is_transient(error)
        if self.must_stop:
            raise error

    @property
    def must_stop(self) -> bool:
        """Whether the run must stop."""
        return self.consecutive >= MAX_CONSECUTIVE_ERRORS


@dataclass(frozen=True, slots=True)
class _Page:
    """What a transaction over some leads updated, and the leads that it left to the next one."""

    updates: Sequence[LeadUpdate]
    left: Sequence[str]
    heavy: Sequence[str]
    doorbells: set[int]


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Brings leads up to date with their partition; any number of processes may do so concurrently."""

    lead_writer: LeadWriter
    fact_reader: FactReader
    doorbell: Doorbell
    calendar: Calendar
    clock: Clock

    async def run(
        self, partitions: Iterable[int], find: Callable[[int], Awaitable[Sequence[str]]], limit: int
    ) -> AsyncGenerator[Sequence[LeadUpdate], None]:
        """Yields the updates of each page of at most `limit` leads.

        `find` returns the ids of the leads of a partition that are behind; it runs in a transaction of its own. Each
        page is one transaction.

        Raises:
            Exception: Some leads or partitions failed. The first error is raised after all others are done, or at once
                after `MAX_CONSECUTIVE_ERRORS` transient errors in a row.
        """
        failures, todo = _Failures(), iter(partitions)

        async def worker() -> AsyncGenerator[Sequence[LeadUpdate], None]:
            for partition in takewhile(lambda _: not failures.must_stop, todo):
                async for updates in self._partition(partition, find, limit, failures):
                    yield updates

        async for updates in _merge([worker() for _ in range(CONCURRENT_PARTITIONS)]):
            yield updates
        if failures.errors:
            raise failures.errors[0]

    async def _partition(
        self, partition: int, find: Callable[[int], Awaitable[Sequence[str]]], limit: int, failures: _Failures
    ) -> AsyncGenerator[Sequence[LeadUpdate], None]:
        """Yields the updates of each page of a partition's leads."""
        try:
            pages = Portions(await self.lead_writer.transact(partial(find, partition)), limit)
        except Exception as error:  # noqa: BLE001 (`run` raises it at the end)
            failures.add(error, partition, ())
            return
        while (page := pages.next()) and not failures.must_stop:
            try:
                done = await self._update_page(partition, page)
            except Exception as error:  # noqa: BLE001 (`run` raises it at the end)
                if not pages.halve(error):
                    failures.add(error, partition, page)
                    pages.done()
                continue
            failures.consecutive = 0
            pages.done(done.left)
            yield done.updates

    async def _update_page(self, partition: int, lead_ids: Sequence[str]) -> _Page:
        """Updates some leads in one transaction, and then each heavy one alone."""
        page = await self.lead_writer.transact(partial(self._record, partition, lead_ids))
        self.doorbell.ring(page.doorbells)
        transaction = LeadTransaction(self.lead_writer, self.fact_reader, self.doorbell, self.calendar, self.clock)
        updates = [await transaction.catch_up(lead_id) for lead_id in page.heavy]
        return _Page([*page.updates, *filter(None, updates)], page.left, (), set())

    async def _record(self, partition: int, lead_ids: Sequence[str]) -> _Page:
        standing = await self.lead_writer.take_page(partition)
        timeline = await self.lead_writer.timeline(standing.publication)
        writer = HistoryWriter(self.fact_reader, timeline, self.calendar, self.clock())
        leads = await self.lead_writer.leads(lead_ids)
        plan = await writer.plan([PendingFacts(lead, standing) for lead in leads.values()])
        updates = await writer.updates(plan.chosen)
        doorbells = await self.lead_writer.append(writer.batch(updates)) if updates else set()
        left, heavy = ([each.lead.lead_id for each in some] for some in (plan.left, plan.heavy))
        return _Page(updates, left, heavy, doorbells)


async def _merge(generators: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """Merges generators that run concurrently, each one item ahead."""

    async def next_item(generator: AsyncGenerator[T, None]) -> T | None:
        return await anext(generator, None)

    tasks = {asyncio.create_task(next_item(each)): each for each in generators}
    try:
        while tasks:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                generator, item = tasks.pop(task), task.result()
                if item is not None:
                    tasks[asyncio.create_task(next_item(generator))] = generator
                    yield item
    finally:
        # Let transactions in progress end: that is faster than a new connection after a cancellation.
        await asyncio.gather(*tasks, return_exceptions=True)
        for generator in generators:
            await generator.aclose()
