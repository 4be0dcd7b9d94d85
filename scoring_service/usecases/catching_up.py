"""Brings leads up to date with their partition: its decay date, and the publication that it follows.

Guarantee: if a page of leads fails or is too large for one transaction, it is halved until the failing lead is alone,
and all other leads are updated. A heavy lead is updated alone.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import NamedTuple, TypeVar

from scoring_service.domain.entry import EntryKind
from scoring_service.domain.lead import LeadUpdate
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.history_writer import HistoryWriter
from scoring_service.usecases.lead_transaction import LeadTransaction
from shared import logs
from shared.portions import Portions
from shared.rpc.errors import is_transient

MAX_CONSECUTIVE_ERRORS = 3
"""The run stops after this many consecutive transient errors, because the leads are not the cause."""

Find = Callable[[int], Awaitable[Sequence[str]]]
Finished = Callable[[int], Awaitable[None]]
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


class Effect(NamedTuple):
    """What an entry did to the score of its lead."""

    kind: EntryKind
    delta: int


Effects = Sequence[Effect]
"""The effects of one update of a lead, in the order of its entries."""


def effects_of(update: LeadUpdate) -> Effects:
    """Returns the effects of an update."""
    return [Effect(entry.kind, entry.delta) for entry in update.entries]


@dataclass(frozen=True, slots=True)
class _Page:
    """The effects on each lead that a transaction updated, and the leads that it left to the next one."""

    updates: Sequence[Effects]
    left: Sequence[str]


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Brings leads up to date with their partition; any number of processes may do so concurrently."""

    cores: Cores

    async def run(
        self,
        partitions: Iterable[int],
        find: Find,
        limit: int,
        finished: Finished | None = None,
    ) -> AsyncGenerator[Sequence[Effects], None]:
        """Yields the effects on the leads of each page of at most `limit` leads.

        `find` returns the ids of the leads of a partition that are behind; it runs in a transaction of its own. Each
        page is one transaction. `finished` is called with each partition in which no lead is behind any longer.

        Raises:
            Exception: Some leads or partitions failed. The first error is raised after all others are done, or at once
                after `MAX_CONSECUTIVE_ERRORS` transient errors in a row.
        """
        failures, todo = _Failures(), iter(partitions)

        async def worker() -> AsyncGenerator[Sequence[Effects], None]:
            for partition in takewhile(lambda _: not failures.must_stop, todo):
                async for updates in self._partition(partition, find, limit, failures, finished):
                    yield updates

        async for updates in _merge([worker() for _ in range(self.cores.count + 1)]):
            yield updates
        if failures.errors:
            raise failures.errors[0]

    async def _partition(
        self, partition: int, find: Find, limit: int, failures: _Failures, finished: Finished | None
    ) -> AsyncGenerator[Sequence[Effects], None]:
        """Yields the effects on the leads of each page of a partition."""
        try:
            pages = Portions(await self.cores.stores.lead_writer.transact(partial(find, partition)), limit)
        except Exception as error:  # noqa: BLE001 (`run` raises it at the end)
            failures.add(error, partition, ())
            return
        failed = False
        while (page := pages.next()) and not failures.must_stop:
            try:
                done = await self.cores.run(partial(_update_page, partition, page))
            except Exception as error:  # noqa: BLE001 (`run` raises it at the end)
                if not pages.halve(error):
                    failures.add(error, partition, page)
                    pages.done()
                    failed = True
                continue
            failures.consecutive = 0
            pages.done(done.left)
            yield done.updates
        if finished and not failed and not pages.next():
            await finished(partition)


async def _update_page(partition: int, lead_ids: Sequence[str], stores: Stores) -> _Page:
    """Updates some leads in one transaction, and then each heavy one alone."""
    updates, left, heavy, doorbells = await stores.lead_writer.transact(partial(_record, partition, lead_ids, stores))
    stores.doorbell.ring(doorbells)
    transaction = LeadTransaction(
        stores.lead_writer, stores.fact_reader, stores.doorbell, stores.calendar, stores.clock
    )
    updates += filter(None, [await transaction.catch_up(lead_id) for lead_id in heavy])
    return _Page(list(map(effects_of, updates)), left)


async def _record(
    partition: int, lead_ids: Sequence[str], stores: Stores
) -> tuple[list[LeadUpdate], list[str], list[str], set[int]]:
    """Returns the updates, the ids of the leads that were left and of the heavy ones, and the doorbells to ring."""
    standing = await stores.lead_writer.take_page(partition)
    timeline = await stores.lead_writer.timeline(standing.publication)
    writer = HistoryWriter(stores.fact_reader, timeline, stores.calendar, stores.clock())
    leads = await stores.lead_writer.leads(lead_ids)
    plan = await writer.plan([writer.pending(lead, standing) for lead in leads.values()])
    updates = await writer.updates(plan.chosen)
    doorbells = await stores.lead_writer.append(writer.batch(updates)) if updates else set()
    left, heavy = ([each.lead.lead_id for each in some] for some in (plan.left, plan.heavy))
    return updates, left, heavy, doorbells


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
