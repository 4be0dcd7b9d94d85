"""The drainer: how a worker empties the partitions of an inbox that it is rung for.

Guarantee: a batch that fails by the fault of a row in it is cut in halves until that row stands alone, and all others
are done. A batch that its worker dies of is cut, too: the next drains of its partition take ever fewer rows. While many
rows fail alike, nothing is drained (`shared.inbox.breaker`).
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta

from pymongo.errors import PyMongoError

from shared import logs, wire
from shared.deadlines import deadline
from shared.inbox.breaker import Breaker
from shared.inbox.collection import Inbox
from shared.inbox.doorbell import MAX_TOGETHER, Doorbell, Lease
from shared.inbox.isolation import IsolatedRetries, Step
from shared.inbox.parking import Parking
from shared.rpc.errors import is_transient
from shared.settings import MAX_PARTITIONS
from shared.tasks import is_cancelled
from shared.watchdog import Heartbeat

SHRINK = 8
"""Each worker that dies in a partition divides the next batch by this."""
READ_SECONDS = 5.0
"""Longest time to read which rows there are to be cut."""
TURN_SECONDS = 8.5
"""Longest time for a transaction and the reads around it: less than what a lane may be silent for."""
IDLE_SECONDS = 1.0
"""A lane without work turns this often, to show that it is alive."""
_LOG = logs.get(__name__)


class Drainer:
    """Empties partitions; those that were rung for together are drained together.

    A transaction costs about the same for one row of one partition as for some rows of many, so under a steady trickle
    it is this that keeps scores fresh. `run()` must be running; run it twice for two transactions at a time. So must
    `suspects.run()`. `heartbeat` tells whether each `run()` turns: between two beats lies one transaction at most.
    """

    def __init__(self, inbox: Inbox, doorbell: Doorbell, step: Step, *, batch_rows: int, batches: int = 20) -> None:
        self.isolated_retries = IsolatedRetries(Parking(inbox), Breaker(inbox), step)
        self.heartbeat = Heartbeat()
        self._inbox = inbox
        self._doorbell = doorbell
        self._step = step
        self._batch_rows = batch_rows
        self._batches = batches
        self._waiting: set[int] = set()
        self._changed = asyncio.Condition()

    async def drain(self, partitions: Sequence[int]) -> None:
        """Hands partitions over to the next drain; returns when there is room for them, not when they are drained.

        What is handed over and lost with the process is rung for again by the sweeper, sooner than by dramatiq. A ring
        that does not name partitions of the inbox is logged and dropped: it comes from Redis, which anyone may have
        written to.
        """
        if not self._inbox.has_partitions(partitions) or len(partitions) > MAX_PARTITIONS:
            _LOG.warning("malformed ring dropped", partitions=logs.cut(repr(partitions)))
            return
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < MAX_TOGETHER)
            self._waiting.update(partitions)
            self._changed.notify_all()

    async def run(self) -> None:
        """Drains what waits, until it is cancelled."""
        with self.heartbeat.loop():
            while not is_cancelled():
                partitions = await self._next()
                for partition in await self._drain(partitions) if partitions else ():
                    if not is_cancelled():
                        await self._drain([partition])

    async def _next(self) -> Sequence[int]:
        """Returns the partitions that wait, none if there are none for `IDLE_SECONDS`."""
        self.heartbeat.beat()
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._changed.wait_for(lambda: self._waiting)
            partitions, self._waiting = sorted(self._waiting), set()
            self._changed.notify_all()
        return partitions

    async def _drain(self, partitions: Sequence[int]) -> Sequence[int]:
        """Drains partitions together and returns those that should be drained alone.

        Whatever is wrong with one of them must not hold up the others.
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
                    # Rows may be left: ring again, so that other partitions go first.
                    self._doorbell.ring(lease.partitions)
                return lease.isolated
        except Exception as error:  # noqa: BLE001 (the rows are still pending, and the sweeper rings again)
            _warn("drain failed", partitions, error)
            return partitions if len(partitions) > 1 else ()

    async def _batch(self, lease: Lease, limit: int) -> int:
        """Does a batch, or what can be done of it, and returns how many rows it had."""
        if lease.crashes and limit == 1:
            return await self._cut(lease, limit)
        try:
            with self._turn():
                return self._noted(await self._step(lease.partitions, limit))
        except Exception as error:
            if not _may_be_of_rows(error):
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
            ids = [row["_id"] for row in await self._inbox.pending(lease.partitions, limit, {"_id": 1})]
        await self._halves(lease, ids)
        return len(ids)

    async def _halves(self, lease: Lease, ids: Sequence[str]) -> None:
        middle = len(ids) // 2
        for half in filter(None, (ids[:middle], ids[middle:])):
            if self.isolated_retries.breaker.is_open:
                return
            await self._doorbell.renew(lease)
            if len(half) == 1:
                with self._turn():
                    await self.isolated_retries.attempt(half[0])
                continue
            try:
                with self._turn():
                    self._noted(await self._step(lease.partitions, len(half), half))
            except Exception as error:
                if not _may_be_of_rows(error):
                    raise
                await self._halves(lease, half)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Beats, and bounds what is done until the next beat."""
        self.heartbeat.beat()
        with deadline(TURN_SECONDS):
            yield


async def sweep(inbox: Inbox, doorbell: Doorbell, *, age: timedelta, every: float = 1.0) -> None:
    """Rings, until it is cancelled, for each partition in which a row has waited longer than `age`.

    It looks every `every` seconds. This is what makes the doorbell dispensable: whatever Redis or a worker lost is rung
    for again. So is a row that was put further ahead than `age`: the clock has been set back since. Rows that failed
    alone are not rung for: they are tried again at times of their own.
    """
    while not is_cancelled():
        try:
            waiting, now = await inbox.waiting_for_drain(), wire.now()
            doorbell.ring(partition for partition, oldest in waiting.items() if abs(now - oldest) > age)
        except PyMongoError as error:
            _LOG.warning("sweep failed", inbox=inbox.rows.name, error=str(error))
        await asyncio.sleep(every)


def _may_be_of_rows(error: Exception) -> bool:
    """Tells whether fewer rows might do: also after a time-out, for all of them may be too much for one transaction."""
    return not is_transient(error) or (isinstance(error, PyMongoError) and error.timeout)


def _warn(what: str, partitions: Sequence[int], error: Exception) -> None:
    _LOG.warning(what, partitions=partitions, error=logs.one_line(error))
