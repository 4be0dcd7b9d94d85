"""The drainer: processes the pending rows of the partitions that a worker is rung for.

Guarantee: a batch in which a row fails is halved until that row is isolated and all others are done. If it is a bundle,
it is divided, and the item that fails is isolated in the same way. A batch that kills its worker is divided, too: the
next drains of its partition take ever fewer rows. While many rows fail with the same error, nothing is drained
(`shared.inbox.breaker`).
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta

from pymongo.errors import PyMongoError

from shared import logs, wire
from shared.deadlines import deadline
from shared.inbox.breaker import Breaker
from shared.inbox.collection import NO_ITEMS, Inbox
from shared.inbox.doorbell import MAX_TOGETHER, Doorbell, Lease
from shared.inbox.isolation import IsolatedRetries, Step
from shared.inbox.parking import Parking
from shared.metrics import inboxes
from shared.mongo import Document
from shared.portions import Portions, may_be_of_size
from shared.settings import MAX_PARTITIONS
from shared.tasks import is_cancelled
from shared.watchdog import Heartbeat

SHRINK = 8
"""Factor by which each worker crash in a partition reduces the size of the next batch."""
READ_SECONDS = 5.0
"""Longest time to read the ids of a batch that is halved."""
TURN_SECONDS = 8.5
"""Longest time for a transaction and the reads around it; less than the longest inactivity of a lane."""
IDLE_SECONDS = 1.0
"""Interval of the heartbeat of an idle lane."""
_LOG = logs.get(__name__)


class Drainer:
    """Drains partitions, and drains together those that were rung for together.

    A transaction over a few rows of many partitions costs about as much as one over one row. So partitions wait
    together while all of the `run()`s are busy, and the doorbell gathers rings before it sends them.

    `run()` and `isolated_retries.run()` must be running; each further `run()` adds a concurrent transaction.
    `heartbeat` shows whether each `run()` makes progress: at most one transaction between two beats.
    """

    def __init__(
        self,
        inbox: Inbox,
        doorbell: Doorbell,
        step: Step,
        *,
        batch_rows: int,
        batches: int = 20,
    ) -> None:
        self.isolated_retries = IsolatedRetries(Parking(inbox), Breaker(inbox), step)
        self.heartbeat = Heartbeat()
        self._inbox = inbox
        self._doorbell = doorbell
        self._step = step
        self._batch_rows = batch_rows
        self._batches = batches
        self._waiting: set[int] = set()
        lock = asyncio.Lock()
        self._work, self._room = asyncio.Condition(lock), asyncio.Condition(lock)

    async def drain(self, partitions: Sequence[int]) -> None:
        """Queues partitions for the next drain; returns when there is room for them, not when they are drained.

        If the process dies, its queued partitions are lost, and the sweeper rings for them again. A ring that does not
        name partitions of the inbox is logged and dropped: other programs may write to Redis.
        """
        if not self._inbox.has_partitions(partitions) or len(partitions) > MAX_PARTITIONS:
            _LOG.warning("malformed ring dropped", partitions=logs.cut(repr(partitions)))
            return
        async with self._room:
            await self._room.wait_for(lambda: len(self._waiting) < MAX_TOGETHER)
            self._waiting.update(partitions)
            self._work.notify()

    async def run(self) -> None:
        """Drains queued partitions, until it is cancelled."""
        with self.heartbeat.loop():
            while not is_cancelled():
                partitions = await self._next()
                for partition in await self._drain(partitions) if partitions else ():
                    if not is_cancelled():
                        await self._drain([partition])

    async def _next(self) -> Sequence[int]:
        """Returns the queued partitions, or those of one shard; none after waiting for `IDLE_SECONDS`."""
        self.heartbeat.beat()
        async with self._work:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._work.wait_for(lambda: self._waiting)
            partitions = self._inbox.partitions.on_one_shard(self._waiting)
            self._waiting.difference_update(partitions)
            if self._waiting:
                self._work.notify()
            self._room.notify_all()
        return partitions

    async def _drain(self, partitions: Sequence[int]) -> Sequence[int]:
        """Drains partitions together and returns those that should be drained alone.

        If the drain fails, each partition is drained alone, so that a failing one does not hold up the others.
        """
        self.heartbeat.beat()
        try:
            async with self._doorbell.lease(partitions) as lease:
                breaker, limit = self.isolated_retries.breaker, max(1, self._batch_rows // SHRINK**lease.crashes)
                for _ in range(self._batches if lease.partitions else 0):
                    if breaker.is_open or await self._batch(lease, limit) < limit or is_cancelled():
                        break
                    await self._doorbell.renew(lease)
                else:
                    # Rows may remain: ring again, so that other partitions get their turn.
                    self._doorbell.ring(lease.partitions)
                return lease.isolated
        except Exception as error:  # noqa: BLE001 (the rows are still pending, and the sweeper rings again)
            inboxes.FAILURES.labels(self._inbox.rows.name).inc()
            _warn("drain failed", partitions, error)
            return partitions if len(partitions) > 1 else ()

    async def _batch(self, lease: Lease, limit: int) -> int:
        """Processes a batch, or as much of it as possible.

        Returns the number of its items, or `limit` if more rows may be pending.
        """
        if lease.crashes and limit == 1:
            return await self._cut(lease, limit)
        try:
            with self._turn():
                return self._noted(await self._step(lease.partitions, limit))
        except Exception as error:
            if not may_be_of_size(error):
                raise
            _warn("batch is cut", lease.partitions, error)
            return await self._cut(lease, limit)

    def _noted(self, done: int) -> int:
        if done:
            self.isolated_retries.breaker.succeeded()
        return done

    async def _cut(self, lease: Lease, limit: int) -> int:
        self.heartbeat.beat()
        with deadline(READ_SECONDS):
            rows = await self._inbox.pending(lease.partitions, limit, NO_ITEMS)
        halves = Portions(rows, (len(rows) + 1) // 2)
        goes_on = rows.is_full
        while (half := halves.next()) and not self.isolated_retries.breaker.is_open:
            await self._doorbell.renew(lease)
            try:
                goes_on |= await self._half(half)
                halves.done()
            except Exception as error:
                if not halves.halve(error):
                    raise
        return limit if goes_on else len(rows)

    async def _half(self, rows: Sequence[Document]) -> bool:
        """Processes rows, and returns whether it has divided one instead: the next batch has its items."""
        with self._turn():
            if len(rows) == 1:
                return await self.isolated_retries.attempt(rows[0]["_id"], rows[0]["partition"])
            partitions = sorted({row["partition"] for row in rows})
            self._noted(await self._step(partitions, len(rows), [row["_id"] for row in rows]))
            return False

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Beats, and limits the time until the next beat."""
        self.heartbeat.beat()
        with deadline(TURN_SECONDS):
            yield


async def sweep(inbox: Inbox, doorbell: Doorbell, *, age: timedelta, every: float = 1.0) -> None:
    """Rings every `every` seconds for each partition with a row older than `age`, until it is cancelled.

    The sweeper makes lost rings harmless, whether Redis or a worker lost them. It also rings for rows more than `age`
    in the future, which exist after the clock was set back. It does not ring for rows that failed alone: they are
    retried at their own times.
    """
    while not is_cancelled():
        try:
            waiting, now = await inbox.waiting_for_drain(), wire.now()
            doorbell.ring(partition for partition, oldest in waiting.items() if abs(now - oldest) > age)
        except PyMongoError as error:
            _LOG.warning("sweep failed", inbox=inbox.rows.name, error=str(error))
        await asyncio.sleep(every)


def _warn(what: str, partitions: Sequence[int], error: Exception) -> None:
    _LOG.warning(what, partitions=partitions, error=logs.one_line(error))
